// A tier or an address that stands and cannot be kept is refused, with what stands against it.
// RUN: samba-opt --pass-pipeline=rdu-plan-memory --verify-diagnostics --split-input-file %s

rdu.program #rdu.target<machine = "sn10", tiles = 4, chips = 1> {
  // expected-error@below {{'rdu.symbol' op is in hbm, which the machine does not have}}
  // expected-note@below {{try: leave its tier out}}
  rdu.symbol @x param tensor<64xf32> {tier = "hbm"}
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{'rdu.symbol' op has an address, but no tier in which that is}}
  // expected-note@below {{try: give it a tier, too}}
  rdu.symbol @x param tensor<64xf32> {address = 0 : i64}
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{'rdu.symbol' op is at address 100, no multiple of 64}}
  // expected-note@below {{try: leave its address out}}
  rdu.symbol @x param tensor<64xf32> {tier = "hbm", address = 100 : i64}
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.symbol @x param tensor<64xf32> {tier = "hbm", address = 0 : i64}
  // expected-error@below {{'rdu.symbol' op overlaps 'x', which is alive with it}}
  // expected-note@below {{try: leave its address out}}
  rdu.symbol @y param tensor<64xf32> {tier = "hbm", address = 128 : i64}
}

// -----

rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{'rdu.symbol' op ends at 68719476992 of hbm, which has 68719476736 bytes}}
  // expected-note@below {{try: leave its address out}}
  rdu.symbol @x param tensor<64xf32> {tier = "hbm", address = 68719476736 : i64}
}
