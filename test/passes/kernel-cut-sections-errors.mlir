// RUN: samba-opt --verify-diagnostics --split-input-file --pass-pipeline='kernel-cut-sections' %s

// A stage that does not fit the machine on its own is refused with what it needs and what there is: a row of 1 GiB has to
// stand in a buffer, a tile has 130 MiB.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 1, chips = 1>} {
  func.func @wide(%x: tensor<1x268435456xf32>) -> tensor<1xf32> {
    // expected-error@below {{does not fit the machine}}
    // expected-note@below {{needs 2048 PMUs, has 260 PMUs, short by 1788 PMUs}}
    // expected-note@below {{try: use smaller tiles or shallower buffers, or allow a cut}}
    %0 = kernel.reduce ins(%x : tensor<1x268435456xf32>) domain #kernel.domain<1 parallel, 268435456 reduction> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>] inits [0.0 : f32] body {
    ^bb0(%a: f32, %acc: f32):
      %n = arith.addf %acc, %a : f32
      kernel.yield %n : f32
    } combine {
    ^bb0(%p: f32, %q: f32):
      %merged = arith.addf %p, %q : f32
      kernel.yield %merged : f32
    } : tensor<1xf32>
    func.return %0 : tensor<1xf32>
  }
}

// -----

// Without a target no machine is guessed.
// expected-error@below {{has no rdu.target attribute}}
// expected-note@below {{try: run set-target first}}
builtin.module {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    func.return %x : tensor<8xf32>
  }
}

// -----

// An access is linear over counters that are cut in equal parts.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @ragged(%x: tensor<5xf32>) -> tensor<24xf32> {
    // expected-error@below {{reads operand 0 in a way that no access pattern expresses: a counter of extent 24 cannot be cut at 5}}
    %0 = kernel.map ins(%x : tensor<5xf32>) domain #kernel.domain<24 parallel> maps [affine_map<(d0) -> (d0 floordiv 5)>, affine_map<(d0) -> (d0)>] body {
    ^bb0(%e: f32):
      %n = arith.negf %e : f32
      kernel.yield %n : f32
    } : tensor<24xf32>
    func.return %0 : tensor<24xf32>
  }
}

// -----

// A module that does not fit is cut, but a stage of it that does not fit either is not: a row of 1 GiB stands in a buffer.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 1, chips = 1>} {
  func.func @wide(%x: tensor<1x268435456xf32>) -> tensor<1xf32> {
    %0 = kernel.group "norm" (%a = %x : tensor<1x268435456xf32>) -> (tensor<1xf32>) {
      // expected-error@below {{does not fit the machine}}
      // expected-note@below {{needs 2048 PMUs, has 260 PMUs, short by 1788 PMUs}}
      // expected-note@below {{try: use smaller tiles or shallower buffers, or allow a cut}}
      %1 = kernel.reduce ins(%a : tensor<1x268435456xf32>) domain #kernel.domain<1 parallel, 268435456 reduction> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>] inits [0.0 : f32] body {
      ^bb0(%e: f32, %s: f32):
        %n = arith.addf %s, %e : f32
        kernel.yield %n : f32
      } combine {
      ^bb0(%p: f32, %q: f32):
        %merged = arith.addf %p, %q : f32
        kernel.yield %merged : f32
      } : tensor<1xf32>
      %2 = kernel.map ins(%1 : tensor<1xf32>) domain #kernel.domain<1 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] body {
      ^bb0(%e: f32):
        %n = arith.negf %e : f32
        kernel.yield %n : f32
      } : tensor<1xf32>
      kernel.yield %2 : tensor<1xf32>
    }
    func.return %0 : tensor<1xf32>
  }
}

// -----

// Stages are what it cuts.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @early(%x: tensor<8xf32>) -> tensor<8xf32> {
    // expected-error@below {{is a samba op: kernel-cut-sections needs that no samba op is left}}
    // expected-note@below {{try: run convert-samba-to-kernel first}}
    %0 = samba.relu %x : tensor<8xf32>
    func.return %0 : tensor<8xf32>
  }
}
