// What views, copies and creations refuse.
// RUN: samba-opt --verify-diagnostics --split-input-file %s

// One size of a view is left open.
func.func @view(%a: tensor<2x6xf32>) {
  // expected-error@+1 {{size [-1, -1] has more than one -1}}
  %0 = samba.view %a {size = [-1, -1]} : (tensor<2x6xf32>) -> tensor<2x6xf32>
  func.return
}

// -----

// Dimensions are flattened from the first to the last.
func.func @flatten(%a: tensor<2x3x4xf32>) {
  // expected-error@+1 {{start_dim = 2 comes after end_dim = 1}}
  %0 = samba.flatten %a {start_dim = 2, end_dim = 1} : (tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  func.return
}

// -----

// A permutation names every dimension.
func.func @permute(%a: tensor<2x3x4xf32>) {
  // expected-error@+1 {{dims = [0, 1, 1] is not a permutation of 3 dimensions}}
  %0 = samba.permute %a {dims = [0, 1, 1]} : (tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  func.return
}

// -----

// t is for matrices.
func.func @t(%a: tensor<2x3x4xf32>) {
  // expected-error@+1 {{t needs rank 2 or less, got rank 3}}
  %0 = samba.t %a : (tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  func.return
}

// -----

// An expansion keeps all dimensions.
func.func @expand_rank(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{cannot expand tensor<2x3xf32> to the lower rank of [3]}}
  %0 = samba.expand %a {size = [3]} : (tensor<2x3xf32>) -> tensor<3xf32>
  func.return
}

// -----

// Only dimensions of size 1 are expanded.
func.func @expand_size(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{cannot expand tensor<2x3xf32> to [1, 3]}}
  %0 = samba.expand %a {size = [1, 3]} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// A slice goes forward.
func.func @slice(%a: tensor<4x3xf32>) {
  // expected-error@+1 {{step must be positive, got -1}}
  %0 = samba.slice %a {step = -1} : (tensor<4x3xf32>) -> tensor<4x3xf32>
  func.return
}

// -----

// A selected element is there.
func.func @select(%a: tensor<4x3xf32>) {
  // expected-error@+1 {{index = 4 is out of range for a dimension of 4}}
  %0 = samba.select %a {dim = 0, index = 4} : (tensor<4x3xf32>) -> tensor<3xf32>
  func.return
}

// -----

// Pieces of listed sizes make up the dimension.
func.func @split(%a: tensor<5x3xf32>) {
  // expected-error@+1 {{split_size [2, 2] does not add up to 5}}
  %0, %1 = samba.split %a {split_size = [2, 2]} : (tensor<5x3xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>)
  func.return
}

// -----

// Pieces have elements.
func.func @split_empty(%a: tensor<5x3xf32>) {
  // expected-error@+1 {{cannot split a dimension of 5: the size of a piece is 0}}
  %0 = samba.split %a {split_size = [0]} : (tensor<5x3xf32>) -> tensor<5x3xf32>
  func.return
}

// -----

// Tensors are joined along one dimension, the others agree.
func.func @cat(%a: tensor<2x3xf32>, %b: tensor<2x4xf32>) {
  // expected-error@+1 {{tensor<2x4xf32> and tensor<2x3xf32> differ outside dimension 0}}
  %0 = samba.cat %a, %b : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<4x3xf32>
  func.return
}

// -----

// Tensors side by side are of one shape.
func.func @stack(%a: tensor<2x3xf32>, %b: tensor<2x4xf32>) {
  // expected-error@+1 {{shapes differ: tensor<2x3xf32>, tensor<2x4xf32>}}
  %0 = samba.stack %a, %b : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x2x3xf32>
  func.return
}

// -----

// A tiling says how often for every dimension.
func.func @repeat(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{repeats [2] has fewer numbers than tensor<2x3xf32> has dimensions}}
  %0 = samba.repeat %a {repeats = [2]} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// A border has two sides, in dimensions that there are.
func.func @pad(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{pad [1] does not fit tensor<2x3xf32>}}
  %0 = samba.constant_pad_nd %a {pad = [1]} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// A negative border removes no more than there is.
func.func @crop(%a: tensor<2x3xf32>) {
  // expected-error@+1 {{pad [-2, -2] removes more than tensor<2x3xf32> has}}
  %0 = samba.constant_pad_nd %a {pad = [-2, -2]} : (tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// A triangle is part of a matrix.
func.func @triangle(%a: tensor<3xf32>) {
  // expected-error@+1 {{operand must have rank 2 or more, got tensor<3xf32>}}
  %0 = samba.tril %a : (tensor<3xf32>) -> tensor<3xf32>
  func.return
}

// -----

// What takes the place of a slice has its dtype.
func.func @slice_scatter_dtype(%a: tensor<4x3xf32>, %b: tensor<2x3xbf16>) {
  // expected-error@+1 {{self and src must have one dtype, got f32, bf16}}
  %0 = samba.slice_scatter %a, %b {start = 1, end = 3} : (tensor<4x3xf32>, tensor<2x3xbf16>) -> tensor<4x3xf32>
  func.return
}

// -----

// And its shape.
func.func @slice_scatter_shape(%a: tensor<4x3xf32>, %b: tensor<3x3xf32>) {
  // expected-error@+1 {{src must have shape [2, 3], got tensor<3x3xf32>}}
  %0 = samba.slice_scatter %a, %b {start = 1, end = 3} : (tensor<4x3xf32>, tensor<3x3xf32>) -> tensor<4x3xf32>
  func.return
}

// -----

// The same for one element: dtype.
func.func @select_scatter_dtype(%a: tensor<4x3xf32>, %b: tensor<3xbf16>) {
  // expected-error@+1 {{self and src must have one dtype, got f32, bf16}}
  %0 = samba.select_scatter %a, %b {dim = 0, index = 1} : (tensor<4x3xf32>, tensor<3xbf16>) -> tensor<4x3xf32>
  func.return
}

// -----

// And shape.
func.func @select_scatter_shape(%a: tensor<4x3xf32>, %b: tensor<4xf32>) {
  // expected-error@+1 {{src must have shape [3], got tensor<4xf32>}}
  %0 = samba.select_scatter %a, %b {dim = 0, index = 1} : (tensor<4x3xf32>, tensor<4xf32>) -> tensor<4x3xf32>
  func.return
}

// -----

// A size is not negative.
func.func @full() {
  // expected-error@+1 {{size [2, -1] is negative}}
  %0 = samba.zeros {size = [2, -1], dtype = f32} : () -> tensor<2x1xf32>
  func.return
}

// -----

// Steps lead somewhere.
func.func @arange() {
  // expected-error@+1 {{step must not be zero}}
  %0 = samba.arange {end = 4, step = 0, dtype = i64} : () -> tensor<4xi64>
  func.return
}

// -----

// Chips share a dimension equally.
func.func @chips(%a: tensor<3x4xf32>) {
  // expected-error@+1 {{dimension 0 of tensor<3x4xf32> does not divide over 2 chips}}
  %0 = samba.reduce_scatter %a {dim = 0, chips = 2} : (tensor<3x4xf32>) -> tensor<1x4xf32>
  func.return
}

// -----

func.func @no_chip(%a: tensor<4x4xf32>) {
  // expected-error@+1 {{chips must be 1 or more, got 0}}
  %0 = samba.reduce_scatter %a {dim = 0, chips = 0} : (tensor<4x4xf32>) -> tensor<0x4xf32>
  func.return
}
