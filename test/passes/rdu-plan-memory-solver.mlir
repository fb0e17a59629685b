// The solver is chosen by its name: between what stands, `best-fit` takes the smaller space, `first-fit`, the default,
// the lower one.
// RUN: samba-opt --pass-pipeline=rdu-plan-memory %s | filecheck %s --check-prefixes=CHECK,FIRST
// RUN: samba-opt --pass-pipeline='rdu-plan-memory{solver=first-fit}' %s | filecheck %s --check-prefixes=CHECK,FIRST
// RUN: samba-opt --pass-pipeline='rdu-plan-memory{solver=best-fit}' %s | filecheck %s --check-prefixes=CHECK,BEST

// CHECK: rdu.symbol @x param
// FIRST: rdu.symbol @t param tensor<64xf32> {tier = "hbm", address = 0 : i64
// BEST: rdu.symbol @t param tensor<64xf32> {tier = "hbm", address = 1280 : i64
rdu.program #rdu.target<machine = "sn40l", tiles = 1, chips = 1> {
  rdu.symbol @x param tensor<64xf32> {tier = "hbm", address = 1024 : i64}
  rdu.symbol @y param tensor<64xf32> {tier = "hbm", address = 1536 : i64}
  rdu.symbol @t param tensor<64xf32>
}
