// What kernel-tile cannot tile.
// RUN: samba-opt --pass-pipeline=kernel-tile --verify-diagnostics --split-input-file %s

// A section fits the machine: a row of 1 GiB stands in a buffer.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 1, chips = 1>} {
  func.func @wide(%x: tensor<1x268435456xf32>) -> tensor<1xf32> {
    // expected-error@below {{does not fit the machine}}
    // expected-note@below {{needs 2048 PMUs, has 260 PMUs, short by 1788 PMUs}}
    // expected-note@below {{try: use smaller tiles or shallower buffers, or allow a cut}}
    %0 = kernel.section @s (%a = %x : tensor<1x268435456xf32>) -> (tensor<1xf32>) {
      %1 = kernel.reduce ins(%a : tensor<1x268435456xf32>) domain #kernel.domain<1 parallel, 268435456 reduction> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>] inits [0.0 : f32] body {
      ^bb0(%e: f32, %s: f32):
        %n = arith.addf %s, %e : f32
        kernel.yield %n : f32
      } combine {
      ^bb0(%p: f32, %q: f32):
        %merged = arith.addf %p, %q : f32
        kernel.yield %merged : f32
      } : tensor<1xf32>
      kernel.yield %1 : tensor<1xf32>
    }
    func.return %0 : tensor<1xf32>
  }
}

// -----

// Stages stand in sections.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @early(%x: tensor<8xf32>) -> tensor<8xf32> {
    // expected-error@below {{stands outside of sections: kernel-tile needs that stages stand in sections}}
    // expected-note@below {{try: run kernel-cut-sections first}}
    %0 = kernel.map ins(%x : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] body {
    ^bb0(%e: f32):
      %n = arith.negf %e : f32
      kernel.yield %n : f32
    } : tensor<8xf32>
    func.return %0 : tensor<8xf32>
  }
}

// -----

// A degree is a number of PCUs.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8x4xf32>, %w: tensor<4x6xf32>) -> tensor<8x6xf32> {
    %0 = kernel.section @s (%a = %x : tensor<8x4xf32>, %b = %w : tensor<4x6xf32>) -> (tensor<8x6xf32>) {
      // expected-error@+1 {{has the hint n_shard_degree = -1: it is a number of PCUs, at least 1}}
      %1 = "kernel.contract"(%a, %b) <{domain = #kernel.domain<8 parallel, 6 parallel, 4 reduction>, maps = [affine_map<(d0, d1, d2) -> (d0, d2)>, affine_map<(d0, d1, d2) -> (d2, d1)>, affine_map<(d0, d1, d2) -> (d0, d1)>], inits = [0.0 : f32]}> ({
      ^bb0(%p: f32, %q: f32, %acc: f32):
        %m = arith.mulf %p, %q : f32
        %n = arith.addf %acc, %m : f32
        kernel.yield %n : f32
      }, {}, {}) {kernel.hints = {n_shard_degree = -1 : i64}} : (tensor<8x4xf32>, tensor<4x6xf32>) -> tensor<8x6xf32>
      kernel.yield %1 : tensor<8x6xf32>
    }
    func.return %0 : tensor<8x6xf32>
  }
}
