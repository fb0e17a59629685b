// What rules and heuristics wish for is read where stages are tiled.
// RUN: samba-opt --pass-pipeline=kernel-tile --verify-diagnostics --split-input-file %s

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
