// What a mapping must not ask of a stage.
// RUN: samba-opt --verify-diagnostics --split-input-file %s

// A buffer is refilled for each input.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{mapping: 'hold' has 2 entries for 1 inputs}}
  %0 = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] mapping #kernel.mapping<tile = [4, 8], par = [1, 1], order = [0, 1], hold = [2, 2]> body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// Steps follow one another.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{mapping: par 2 of the sequential dimension d1}}
  %0 = kernel.scan ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 sequential>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] inits [0.0 : f32] mapping #kernel.mapping<tile = [4, 8], par = [1, 2], order = [0, 1], hold = [2]> body {
    ^bb0(%a: f32, %acc: f32):
      %s = arith.addf %acc, %a : f32
      kernel.yield %s, %s : f32, f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// A tile of one reduction dimension is whole in those inside of it.
func.func @f(%x: tensor<4x2x256xf32>) {
  // expected-error@below {{mapping: d2 is cut inside a tile of d1, which folds out of order}}
  %0 = kernel.reduce ins(%x : tensor<4x2x256xf32>) domain #kernel.domain<4 parallel, 2 reduction, 256 reduction>
      maps [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (i)>] inits [0.0 : f32] mapping #kernel.mapping<tile = [4, 2, 128], par = [1, 1, 1], order = [0, 1, 2], hold = [3]> body {
    ^bb0(%a: f32, %acc: f32):
      %s = arith.addf %acc, %a : f32
      kernel.yield %s : f32
    } combine {
    ^bb0(%p: f32, %q: f32):
      %merged = arith.addf %p, %q : f32
      kernel.yield %merged : f32
    } : tensor<4xf32>
  func.return
}
