// A tier that stands is kept, and so is an address; other symbols are put around it.
// RUN: samba-opt --pass-pipeline=rdu-plan-memory %s | filecheck %s
// RUN: samba-opt --pass-pipeline='rdu-plan-memory, rdu-plan-memory{solver=best-fit}' %s | filecheck %s

// CHECK: rdu.symbol @slow param tensor<64xf32> {tier = "ddr", address = 0 : i64
// CHECK: rdu.symbol @there param tensor<64xf32> {tier = "hbm", address = 256 : i64
// CHECK: rdu.symbol @below param tensor<64xf32> {tier = "hbm", address = 0 : i64
// CHECK: rdu.symbol @above param tensor<64xf32> {tier = "hbm", address = 512 : i64
// CHECK: rdu.symbol @far param tensor<64xf32> {tier = "ddr", address = 4096 : i64
rdu.program #rdu.target<machine = "sn40l", tiles = 1, chips = 1> {
  rdu.symbol @slow param tensor<64xf32> {tier = "ddr"}
  rdu.symbol @there param tensor<64xf32> {tier = "hbm", address = 256 : i64}
  rdu.symbol @below param tensor<64xf32>
  rdu.symbol @above param tensor<64xf32>
  rdu.symbol @far param tensor<64xf32> {tier = "ddr", address = 4096 : i64}
}
