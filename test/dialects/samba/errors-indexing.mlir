// What operators with index tensors refuse.
// RUN: samba-opt --verify-diagnostics --split-input-file %s

// A table of rows is a matrix.
func.func @embedding_weight(%a: tensor<3xf32>, %b: tensor<2xi64>) {
  // expected-error@+1 {{weight must have rank 2, got tensor<3xf32>}}
  %0 = samba.embedding %a, %b : (tensor<3xf32>, tensor<2xi64>) -> tensor<2x3xf32>
  func.return
}

// -----

// Rows have numbers.
func.func @embedding_indices(%a: tensor<4x3xf32>, %b: tensor<2xf32>) {
  // expected-error@+1 {{indices must hold integers, got tensor<2xf32>}}
  %0 = samba.embedding %a, %b : (tensor<4x3xf32>, tensor<2xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// Slices are selected by a list.
func.func @index_select_rank(%a: tensor<4x3xf32>, %b: tensor<2x2xi64>) {
  // expected-error@+1 {{index must have rank 1, got tensor<2x2xi64>}}
  %0 = samba.index_select %a, %b {dim = 0} : (tensor<4x3xf32>, tensor<2x2xi64>) -> tensor<4x3xf32>
  func.return
}

// -----

// The list is of integers.
func.func @index_select_dtype(%a: tensor<4x3xf32>, %b: tensor<2xf32>) {
  // expected-error@+1 {{index must hold integers, got tensor<2xf32>}}
  %0 = samba.index_select %a, %b {dim = 0} : (tensor<4x3xf32>, tensor<2xf32>) -> tensor<4x3xf32>
  func.return
}

// -----

// Every dimension that is indexed has its tensor.
func.func @index_count(%a: tensor<4x3xf32>, %b: tensor<2xi64>) {
  // expected-error@+1 {{1 index tensors for dims [0, 1]}}
  %0 = samba.index %a, %b {dims = [0, 1]} : (tensor<4x3xf32>, tensor<2xi64>) -> tensor<2xf32>
  func.return
}

// -----

// The dimensions ascend.
func.func @index_order(%a: tensor<4x3xf32>, %b: tensor<2xi64>, %c: tensor<2xi64>) {
  // expected-error@+1 {{dims [1, 0] must be ascending and below the rank of tensor<4x3xf32>}}
  %0 = samba.index %a, %b, %c {dims = [1, 0]} : (tensor<4x3xf32>, tensor<2xi64>, tensor<2xi64>) -> tensor<2xf32>
  func.return
}

// -----

// They are dimensions of the tensor.
func.func @index_dims(%a: tensor<4x3xf32>, %b: tensor<2xi64>) {
  // expected-error@+1 {{dims [2] must be ascending and below the rank of tensor<4x3xf32>}}
  %0 = samba.index %a, %b {dims = [2]} : (tensor<4x3xf32>, tensor<2xi64>) -> tensor<2xf32>
  func.return
}

// -----

// Indices are integers.
func.func @index_dtype(%a: tensor<4x3xf32>, %b: tensor<2xf32>) {
  // expected-error@+1 {{index must hold integers, got tensor<2xf32>}}
  %0 = samba.index %a, %b {dims = [0]} : (tensor<4x3xf32>, tensor<2xf32>) -> tensor<4x3xf32>
  func.return
}

// -----

// What a mask picks has no static shape.
func.func @index_mask(%a: tensor<4x3xf32>, %b: tensor<4xi1>) {
  // expected-error@+1 {{the result of a boolean index depends on data}}
  %0 = samba.index %a, %b {dims = [0]} : (tensor<4x3xf32>, tensor<4xi1>) -> tensor<4x3xf32>
  func.return
}

// -----

// Values that are put have the tensor's dtype.
func.func @index_put_dtype(%a: tensor<4x3xf32>, %b: tensor<2x3xbf16>, %c: tensor<2xi64>) {
  // expected-error@+1 {{self and values must have one dtype, got f32, bf16}}
  %0 = samba.index_put %a, %b, %c {dims = [0]} : (tensor<4x3xf32>, tensor<2x3xbf16>, tensor<2xi64>) -> tensor<4x3xf32>
  func.return
}

// -----

// They fit what is indexed, which does not grow.
func.func @index_put_shape(%a: tensor<4x3xf32>, %b: tensor<5x2x3xf32>, %c: tensor<2xi64>) {
  // expected-error@+1 {{values tensor<5x2x3xf32> cannot be broadcast to the indexed [2, 3]}}
  %0 = samba.index_put %a, %b, %c {dims = [0]} : (tensor<4x3xf32>, tensor<5x2x3xf32>, tensor<2xi64>) -> tensor<4x3xf32>
  func.return
}

// -----

// Elements are gathered by integers.
func.func @gather_dtype(%a: tensor<4x3xf32>, %b: tensor<2x3xf32>) {
  // expected-error@+1 {{index must hold integers, got tensor<2x3xf32>}}
  %0 = samba.gather %a, %b {dim = 0} : (tensor<4x3xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
  func.return
}

// -----

// In as many dimensions as there are.
func.func @gather_rank(%a: tensor<4x3xf32>, %b: tensor<2xi64>) {
  // expected-error@+1 {{index must have rank 2, got tensor<2xi64>}}
  %0 = samba.gather %a, %b {dim = 0} : (tensor<4x3xf32>, tensor<2xi64>) -> tensor<4x3xf32>
  func.return
}

// -----

// Outside of the gathered dimension an index stays in the tensor.
func.func @gather_shape(%a: tensor<4x3xf32>, %b: tensor<2x4xi64>) {
  // expected-error@+1 {{index tensor<2x4xi64> exceeds tensor<4x3xf32> outside dimension 0}}
  %0 = samba.gather %a, %b {dim = 0} : (tensor<4x3xf32>, tensor<2x4xi64>) -> tensor<4x3xf32>
  func.return
}

// -----

// Elements that are scattered have the tensor's dtype.
func.func @scatter_dtype(%a: tensor<4x3xf32>, %b: tensor<2x3xi64>, %c: tensor<2x3xbf16>) {
  // expected-error@+1 {{self and src must have one dtype, got f32, bf16}}
  %0 = samba.scatter %a, %b, %c {dim = 0} : (tensor<4x3xf32>, tensor<2x3xi64>, tensor<2x3xbf16>) -> tensor<4x3xf32>
  func.return
}

// -----

// Every index has an element.
func.func @scatter_shape(%a: tensor<4x3xf32>, %b: tensor<2x3xi64>, %c: tensor<1x3xf32>) {
  // expected-error@+1 {{index tensor<2x3xi64> exceeds src tensor<1x3xf32>}}
  %0 = samba.scatter %a, %b, %c {dim = 0} : (tensor<4x3xf32>, tensor<2x3xi64>, tensor<1x3xf32>) -> tensor<4x3xf32>
  func.return
}

// -----

// Slices are copied to a list of places.
func.func @index_copy_rank(%a: tensor<4x3xf32>, %b: tensor<2x2xi64>, %c: tensor<2x3xf32>) {
  // expected-error@+1 {{index must have rank 1, got tensor<2x2xi64>}}
  %0 = samba.index_copy %a, %b, %c {dim = 0} : (tensor<4x3xf32>, tensor<2x2xi64>, tensor<2x3xf32>) -> tensor<4x3xf32>
  func.return
}

// -----

// Places are integers.
func.func @index_copy_index(%a: tensor<4x3xf32>, %b: tensor<2xf32>, %c: tensor<2x3xf32>) {
  // expected-error@+1 {{index must hold integers, got tensor<2xf32>}}
  %0 = samba.index_copy %a, %b, %c {dim = 0} : (tensor<4x3xf32>, tensor<2xf32>, tensor<2x3xf32>) -> tensor<4x3xf32>
  func.return
}

// -----

// The slices have the tensor's dtype.
func.func @index_copy_dtype(%a: tensor<4x3xf32>, %b: tensor<2xi64>, %c: tensor<2x3xbf16>) {
  // expected-error@+1 {{self and source must have one dtype, got f32, bf16}}
  %0 = samba.index_copy %a, %b, %c {dim = 0} : (tensor<4x3xf32>, tensor<2xi64>, tensor<2x3xbf16>) -> tensor<4x3xf32>
  func.return
}

// -----

// There is one for each place.
func.func @index_copy_shape(%a: tensor<4x3xf32>, %b: tensor<2xi64>, %c: tensor<3x3xf32>) {
  // expected-error@+1 {{source must have shape [2, 3], got tensor<3x3xf32>}}
  %0 = samba.index_copy %a, %b, %c {dim = 0} : (tensor<4x3xf32>, tensor<2xi64>, tensor<3x3xf32>) -> tensor<4x3xf32>
  func.return
}
