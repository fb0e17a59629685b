// What the ops of stage bodies must not be.
// RUN: samba-opt --verify-diagnostics --split-input-file %s

// A shard of an index is two numbers.
func.func @f() {
  // expected-error@below {{a shard has both 'chips' and 'inner'}}
  %0 = "kernel.index"() <{dim = 0 : i64, chips = 2 : i64}> : () -> i64
  func.return
}

// -----

// Each at least 1.
func.func @f() {
  // expected-error@below {{the numbers of a shard are at least 1}}
  %0 = kernel.index 0 shard 2 x 0
  func.return
}

// -----

// Sorted lists are values and indices, and a pair goes in.
func.func @f(%v: tensor<4xf32>, %i: tensor<4xi64>, %x: f32) {
  // expected-error@below {{expected 4 operands and 2 tensor types}}
  %0, %1 = kernel.insert_sorted %v, %i, %x : tensor<4xf32>, tensor<4xi64>
  func.return
}

// -----

// The lists are tensors.
func.func @f(%v: f32, %i: i64) {
  // expected-error@below {{the sorted lists are tensors}}
  %0, %1 = "kernel.insert_sorted"(%v, %i, %v, %i) : (f32, i64, f32, i64) -> (f32, i64)
  func.return
}

// -----

// The pair is one of theirs.
func.func @f(%v: tensor<4xf32>, %i: tensor<4xi64>, %x: f64, %j: i64) {
  // expected-error@below {{the pair's types are the element types of the lists}}
  %0, %1 = "kernel.insert_sorted"(%v, %i, %x, %j) : (tensor<4xf32>, tensor<4xi64>, f64, i64) -> (tensor<4xf32>, tensor<4xi64>)
  func.return
}
