// RUN: samba-opt --split-input-file --verify-diagnostics %s

// Domains and tensors have fewer points than a 64-bit number of bytes can address.
func.func @domain(%x: tensor<4xf32>) {
  // expected-error@below {{the domain has 200000000000000000 points, more than 72057594037927936}}
  %0 = kernel.reduce ins(%x : tensor<4xf32>) domain #kernel.domain<4 parallel, 50000000000000000 reduction>
    maps [affine_map<(d0, d1) -> (d0)>, affine_map<(d0, d1) -> (d0)>] inits [0.0 : f32] body {
    ^bb0(%e: f32, %acc: f32):
      %n = arith.addf %e, %acc : f32
      kernel.yield %n : f32
    } : tensor<4xf32>
  func.return
}

// -----

func.func @tensor(%x: tensor<99999999999999999xf32>) {
  // expected-error@below {{input 0 is tensor<99999999999999999xf32>, more than 72057594037927936 elements}}
  %0 = kernel.map ins(%x : tensor<99999999999999999xf32>) domain #kernel.domain<4 parallel>
    maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] body {
    ^bb0(%e: f32):
      kernel.yield %e : f32
    } : tensor<4xf32>
  func.return
}
