// RUN: samba-opt --verify-diagnostics --split-input-file %s

// A declared result that the operands do not imply is refused, with both types.
func.func @shape(%x: tensor<2x4xf32>, %w: tensor<3x4xf32>) {
  // expected-error@+1 {{result is tensor<2x4xf32>, the operands imply tensor<2x3xf32>}}
  %0 = samba.linear %x, %w : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x4xf32>
  func.return
}

// -----

func.func @contracted(%x: tensor<2x4xf32>, %w: tensor<5x3xf32>) {
  // expected-error@+1 {{contracted dimensions differ: 4 of tensor<2x4xf32> and 5 of tensor<5x3xf32>}}
  %0 = samba.matmul %x, %w : (tensor<2x4xf32>, tensor<5x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

func.func @broadcast(%x: tensor<2x4xf32>, %y: tensor<3xf32>) {
  // expected-error@+1 {{shapes [2, 4] and [3] cannot be broadcast: dimension -1 is 4 and 3}}
  %0 = samba.add %x, %y : (tensor<2x4xf32>, tensor<3xf32>) -> tensor<2x4xf32>
  func.return
}

// -----

// f32 partial sums are for matrix products only.
func.func @partial(%x: tensor<2xbf16>) {
  // expected-error@+1 {{result is tensor<2xf32>, the operands imply tensor<2xbf16>}}
  %0 = samba.exp %x : (tensor<2xbf16>) -> tensor<2xf32>
  func.return
}

// -----

func.func @operands(%x: tensor<2x4xf32>) {
  // expected-error@+1 {{'samba.linear' op takes 2 to 3 operands (input, weight, bias?), got 1}}
  %0 = samba.linear %x : (tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return
}

// -----

func.func @missing(%x: tensor<2x4xf32>) {
  // expected-error@+1 {{'samba.softmax' needs the attribute 'dim'}}
  %0 = samba.softmax %x : tensor<2x4xf32>
  func.return
}

// -----

func.func @kind(%x: tensor<2x4xf32>) {
  // expected-error@+1 {{attribute 'dim' must be an i64}}
  %0 = samba.softmax %x {dim = "last"} : tensor<2x4xf32>
  func.return
}

// -----

func.func @scalar(%x: tensor<2x4xf32>) {
  // expected-error@+1 {{needs either a second operand or the attribute 'other'}}
  %0 = samba.mul %x : tensor<2x4xf32>
  func.return
}

// -----

func.func @view(%x: tensor<2x4xf32>) {
  // expected-error@+1 {{cannot view [2, 4] (8 elements) as [3, -1]}}
  %0 = samba.view %x {size = [3, -1]} : (tensor<2x4xf32>) -> tensor<3x2xf32>
  func.return
}

// -----

func.func @dynamic(%x: tensor<?xf32>) {
  // expected-error@+1 {{needs static shapes, got tensor<?xf32>}}
  %0 = samba.exp %x : tensor<?xf32>
  func.return
}

// -----

func.func @results(%x: tensor<4x3xf32>) {
  // expected-error@+1 {{has 1 results, the operands imply 2}}
  %0 = samba.chunk %x {chunks = 2} : (tensor<4x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

func.func @heads(%q: tensor<1x5x2x4xf32>, %k: tensor<1x2x2x4xf32>) {
  // expected-error@+1 {{query heads must be a multiple of the key heads}}
  %0 = samba.scaled_dot_product_attention %q, %k, %k {enable_gqa = true} : (tensor<1x5x2x4xf32>, tensor<1x2x2x4xf32>, tensor<1x2x2x4xf32>) -> tensor<1x5x2x4xf32>
  func.return
}

// -----

func.func @module(%x: tensor<2xf32>) {
  // expected-error@+1 {{must yield values of its result types}}
  %0 = samba.module "m"(%a = %x : tensor<2xf32>) -> (tensor<3xf32>) {
    samba.yield %a : tensor<2xf32>
  }
  func.return
}

// -----

func.func @unknown(%x: tensor<2xf32>) {
  // expected-error@+1 {{samba.frobnicate}}
  %0 = samba.frobnicate %x : tensor<2xf32>
  func.return
}
