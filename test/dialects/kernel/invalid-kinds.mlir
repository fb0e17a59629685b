// What moves, sorts and collectives must not be.
// RUN: samba-opt --verify-diagnostics --split-input-file %s

// A move computes nothing.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{kernel.move has no regions}}
  %0 = kernel.move ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// It makes one tensor.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{has one result and at least one input}}
  %0, %1 = kernel.move ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] : tensor<4x8xf32>, tensor<4x8xf32>
  func.return
}

// -----

// A sort makes the tensors that it takes, sorted.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{the results do not have the types of the inputs}}
  %0 = kernel.sort ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 sequential>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] : tensor<4x8xi64>
  func.return
}

// -----

// All of them lie alike.
func.func @f(%x: tensor<4x8xf32>, %y: tensor<4x8xi64>) {
  // expected-error@below {{the maps of a sort are all the same}}
  %0, %1 = kernel.sort ins(%x, %y : tensor<4x8xf32>, tensor<4x8xi64>) domain #kernel.domain<4 parallel, 8 sequential>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, 0)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] : tensor<4x8xf32>, tensor<4x8xi64>
  func.return
}

// -----

// A collective is one of four.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{op "broadcast" is not one of all_reduce, all_gather, reduce_scatter, all_to_all}}
  %0 = kernel.collective ins(%x : tensor<4x8xf32>) op "broadcast" domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] chips 2 wire f32 : tensor<4x8xf32>
  func.return
}

// -----

// It exchanges one tensor.
func.func @f(%x: tensor<4x8xf32>, %y: tensor<4x8xf32>) {
  // expected-error@below {{has one input and one result}}
  %0 = kernel.collective ins(%x, %y : tensor<4x8xf32>, tensor<4x8xf32>) op "all_reduce" domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] chips 2 wire f32 : tensor<4x8xf32>
  func.return
}

// -----

// Its domain is the tensor.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{the domain is (4, 4), the input tensor<4x8xf32>}}
  %0 = kernel.collective ins(%x : tensor<4x8xf32>) op "all_reduce" domain #kernel.domain<4 parallel, 4 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] chips 2 wire f32 : tensor<4x8xf32>
  func.return
}

// -----

// A sum has no dimension.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{all_reduce takes no 'dim'}}
  %0 = kernel.collective ins(%x : tensor<4x8xf32>) op "all_reduce" domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] dim 0 chips 2 wire f32 : tensor<4x8xf32>
  func.return
}

// -----

// A gather has one.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{all_gather needs a 'dim'}}
  %0 = kernel.collective ins(%x : tensor<4x8xf32>) op "all_gather" domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] chips 2 wire f32 : tensor<8x8xf32>
  func.return
}

// -----

// It is one of the tensor's.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{dim 2 of tensor<4x8xf32>}}
  %0 = kernel.collective ins(%x : tensor<4x8xf32>) op "all_gather" domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] dim 2 chips 2 wire f32 : tensor<8x8xf32>
  func.return
}

// -----

// Chips share it equally.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{dimension 0 of 4 does not split over 3 chips}}
  %0 = kernel.collective ins(%x : tensor<4x8xf32>) op "reduce_scatter" domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] dim 0 chips 3 wire f32 : tensor<1x8xf32>
  func.return
}
