// More than the last tier holds is refused, with the demand and the limit.
// RUN: samba-opt --pass-pipeline=rdu-plan-memory --verify-diagnostics %s

// expected-error@below {{memory of a chip is short: ddr needs 4000000000000 bytes}}
rdu.program #rdu.target<machine = "sn10", tiles = 4, chips = 1> {
  rdu.symbol @x param tensor<1000000000000xf32>
}
