// More than the last tier holds is refused, with the demand and the limit.
// RUN: samba-opt --pass-pipeline=rdu-plan-memory --verify-diagnostics %s

// expected-error@below {{does not fit the ddr of a chip; the largest symbol is 'x' with 4000000000000 bytes}}
// expected-note@below {{needs 4000000000000 bytes, has 1500000000000 bytes, short by 2500000000000 bytes}}
// expected-note@below {{try: use more chips}}
// expected-note@below {{try: use more tiles}}
// expected-note@below {{try: shorten the sequence or the batch}}
rdu.program #rdu.target<machine = "sn10", tiles = 4, chips = 1> {
  rdu.symbol @x param tensor<1000000000000xf32>
}
