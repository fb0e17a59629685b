// What matrix products, convolutions and attention refuse.
// RUN: samba-opt --verify-diagnostics --split-input-file %s

// A linear does not mix dtypes.
func.func @linear_dtypes(%a: tensor<2x4xf32>, %b: tensor<3x4xbf16>) {
  // expected-error@+1 {{operands must have one dtype, got f32, bf16}}
  %0 = samba.linear %a, %b : (tensor<2x4xf32>, tensor<3x4xbf16>) -> tensor<2x3xf32>
  func.return
}

// -----

// Its weight is a matrix.
func.func @linear_weight(%a: tensor<2x4xf32>, %b: tensor<4xf32>) {
  // expected-error@+1 {{weight must have rank 2, got tensor<4xf32>}}
  %0 = samba.linear %a, %b : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  func.return
}

// -----

// The weight's columns meet the last dimension of the input.
func.func @linear_columns(%a: tensor<2x4xf32>, %b: tensor<3x5xf32>) {
  // expected-error@+1 {{last dimension of tensor<2x4xf32> must be the weight's 5}}
  %0 = samba.linear %a, %b : (tensor<2x4xf32>, tensor<3x5xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// The bias has a number for each row of the weight.
func.func @linear_bias(%a: tensor<2x4xf32>, %b: tensor<3x4xf32>, %c: tensor<4xf32>) {
  // expected-error@+1 {{bias must have shape [3], got tensor<4xf32>}}
  %0 = samba.linear %a, %b, %c : (tensor<2x4xf32>, tensor<3x4xf32>, tensor<4xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// A matmul does not mix dtypes.
func.func @matmul_dtypes(%a: tensor<2x4xf32>, %b: tensor<4x3xbf16>) {
  // expected-error@+1 {{operands must have one dtype, got f32, bf16}}
  %0 = samba.matmul %a, %b : (tensor<2x4xf32>, tensor<4x3xbf16>) -> tensor<2x3xf32>
  func.return
}

// -----

// A number is no factor of a matrix product.
func.func @matmul_rank(%a: tensor<f32>, %b: tensor<4x3xf32>) {
  // expected-error@+1 {{operands must have rank 1 or more}}
  %0 = samba.matmul %a, %b : (tensor<f32>, tensor<4x3xf32>) -> tensor<3xf32>
  func.return
}

// -----

// mm is for two matrices: the left one.
func.func @mm_left(%a: tensor<2x2x4xf32>, %b: tensor<4x3xf32>) {
  // expected-error@+1 {{left operand must have rank 2, got tensor<2x2x4xf32>}}
  %0 = samba.mm %a, %b : (tensor<2x2x4xf32>, tensor<4x3xf32>) -> tensor<2x2x4xf32>
  func.return
}

// -----

// And the right one.
func.func @mm_right(%a: tensor<2x4xf32>, %b: tensor<4xf32>) {
  // expected-error@+1 {{right operand must have rank 2, got tensor<4xf32>}}
  %0 = samba.mm %a, %b : (tensor<2x4xf32>, tensor<4xf32>) -> tensor<2x4xf32>
  func.return
}

// -----

// bmm is for two batches of matrices: the left one.
func.func @bmm_left(%a: tensor<2x4xf32>, %b: tensor<2x4x3xf32>) {
  // expected-error@+1 {{left operand must have rank 3, got tensor<2x4xf32>}}
  %0 = samba.bmm %a, %b : (tensor<2x4xf32>, tensor<2x4x3xf32>) -> tensor<2x4xf32>
  func.return
}

// -----

// And the right one.
func.func @bmm_right(%a: tensor<2x2x4xf32>, %b: tensor<4x3xf32>) {
  // expected-error@+1 {{right operand must have rank 3, got tensor<4x3xf32>}}
  %0 = samba.bmm %a, %b : (tensor<2x2x4xf32>, tensor<4x3xf32>) -> tensor<2x2x4xf32>
  func.return
}

// -----

// It does not broadcast batches.
func.func @bmm_batch(%a: tensor<2x2x4xf32>, %b: tensor<1x4x3xf32>) {
  // expected-error@+1 {{batch sizes differ: tensor<2x2x4xf32> and tensor<1x4x3xf32>}}
  %0 = samba.bmm %a, %b : (tensor<2x2x4xf32>, tensor<1x4x3xf32>) -> tensor<2x2x4xf32>
  func.return
}

// -----

// What is added to a product has its dtype.
func.func @addmm_dtypes(%a: tensor<3xbf16>, %b: tensor<2x4xf32>, %c: tensor<4x3xf32>) {
  // expected-error@+1 {{operands must have one dtype, got bf16, f32, f32}}
  %0 = samba.addmm %a, %b, %c : (tensor<3xbf16>, tensor<2x4xf32>, tensor<4x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// It broadcasts to the product, which does not grow.
func.func @addmm_shape(%a: tensor<5x2x3xf32>, %b: tensor<2x4xf32>, %c: tensor<4x3xf32>) {
  // expected-error@+1 {{tensor<5x2x3xf32> cannot be broadcast to the product tensor<2x3xf32>}}
  %0 = samba.addmm %a, %b, %c : (tensor<5x2x3xf32>, tensor<2x4xf32>, tensor<4x3xf32>) -> tensor<5x2x3xf32>
  func.return
}

// -----

// A window lies in the padded image.
func.func @window(%a: tensor<1x2x2x2xf32>, %b: tensor<3x2x5x5xf32>) {
  // expected-error@+1 {{window of 5 does not fit 2 + 2 * 1}}
  %0 = samba.conv2d %a, %b {padding = [1, 1]} : (tensor<1x2x2x2xf32>, tensor<3x2x5x5xf32>) -> tensor<1x3x1x1xf32>
  func.return
}

// -----

// A stride is a number, or one for each of the two dimensions.
func.func @pair(%a: tensor<1x2x5x5xf32>, %b: tensor<3x2x3x3xf32>) {
  // expected-error@+1 {{expected one or two numbers, got [1, 1, 1]}}
  %0 = samba.conv2d %a, %b {stride = [1, 1, 1]} : (tensor<1x2x5x5xf32>, tensor<3x2x3x3xf32>) -> tensor<1x2x5x5xf32>
  func.return
}

// -----

// A convolution does not mix dtypes.
func.func @conv2d_dtypes(%a: tensor<1x2x5x5xf32>, %b: tensor<3x2x3x3xbf16>) {
  // expected-error@+1 {{operands must have one dtype, got f32, bf16}}
  %0 = samba.conv2d %a, %b : (tensor<1x2x5x5xf32>, tensor<3x2x3x3xbf16>) -> tensor<1x2x5x5xf32>
  func.return
}

// -----

// It takes a batch of images.
func.func @conv2d_input(%a: tensor<2x5x5xf32>, %b: tensor<3x2x3x3xf32>) {
  // expected-error@+1 {{input must have rank 4, got tensor<2x5x5xf32>}}
  %0 = samba.conv2d %a, %b : (tensor<2x5x5xf32>, tensor<3x2x3x3xf32>) -> tensor<2x5x5xf32>
  func.return
}

// -----

// Its weight has rank 4.
func.func @conv2d_weight(%a: tensor<1x2x5x5xf32>, %b: tensor<3x2x3xf32>) {
  // expected-error@+1 {{weight must have rank 4, got tensor<3x2x3xf32>}}
  %0 = samba.conv2d %a, %b : (tensor<1x2x5x5xf32>, tensor<3x2x3xf32>) -> tensor<1x2x5x5xf32>
  func.return
}

// -----

// The weight has the input's channels.
func.func @conv2d_channels(%a: tensor<1x2x5x5xf32>, %b: tensor<3x3x3x3xf32>) {
  // expected-error@+1 {{weight tensor<3x3x3x3xf32> does not fit 2 input channels in 1 groups}}
  %0 = samba.conv2d %a, %b : (tensor<1x2x5x5xf32>, tensor<3x3x3x3xf32>) -> tensor<1x2x5x5xf32>
  func.return
}

// -----

// Groups divide the output channels.
func.func @conv2d_groups(%a: tensor<1x2x5x5xf32>, %b: tensor<3x1x3x3xf32>) {
  // expected-error@+1 {{weight tensor<3x1x3x3xf32> does not fit 2 input channels in 2 groups}}
  %0 = samba.conv2d %a, %b {groups = 2} : (tensor<1x2x5x5xf32>, tensor<3x1x3x3xf32>) -> tensor<1x2x5x5xf32>
  func.return
}

// -----

// The bias has a number for each output channel.
func.func @conv2d_bias(%a: tensor<1x2x5x5xf32>, %b: tensor<3x2x3x3xf32>, %c: tensor<2xf32>) {
  // expected-error@+1 {{bias must have shape [3], got tensor<2xf32>}}
  %0 = samba.conv2d %a, %b, %c : (tensor<1x2x5x5xf32>, tensor<3x2x3x3xf32>, tensor<2xf32>) -> tensor<1x2x5x5xf32>
  func.return
}

// -----

// The same in one dimension: dtypes.
func.func @conv1d_dtypes(%a: tensor<1x2x5xf32>, %b: tensor<3x2x3xbf16>) {
  // expected-error@+1 {{operands must have one dtype, got f32, bf16}}
  %0 = samba.conv1d %a, %b : (tensor<1x2x5xf32>, tensor<3x2x3xbf16>) -> tensor<1x2x5xf32>
  func.return
}

// -----

// The input.
func.func @conv1d_input(%a: tensor<2x5xf32>, %b: tensor<3x2x3xf32>) {
  // expected-error@+1 {{input must have rank 3, got tensor<2x5xf32>}}
  %0 = samba.conv1d %a, %b : (tensor<2x5xf32>, tensor<3x2x3xf32>) -> tensor<2x5xf32>
  func.return
}

// -----

// The weight.
func.func @conv1d_weight(%a: tensor<1x2x5xf32>, %b: tensor<3x2xf32>) {
  // expected-error@+1 {{weight must have rank 3, got tensor<3x2xf32>}}
  %0 = samba.conv1d %a, %b : (tensor<1x2x5xf32>, tensor<3x2xf32>) -> tensor<1x2x5xf32>
  func.return
}

// -----

// The channels.
func.func @conv1d_channels(%a: tensor<1x2x5xf32>, %b: tensor<3x3x3xf32>) {
  // expected-error@+1 {{weight tensor<3x3x3xf32> does not fit 2 input channels in 1 groups}}
  %0 = samba.conv1d %a, %b : (tensor<1x2x5xf32>, tensor<3x3x3xf32>) -> tensor<1x2x5xf32>
  func.return
}

// -----

// The bias.
func.func @conv1d_bias(%a: tensor<1x2x5xf32>, %b: tensor<3x2x3xf32>, %c: tensor<2xf32>) {
  // expected-error@+1 {{bias must have shape [3], got tensor<2xf32>}}
  %0 = samba.conv1d %a, %b, %c : (tensor<1x2x5xf32>, tensor<3x2x3xf32>, tensor<2xf32>) -> tensor<1x2x5xf32>
  func.return
}

// -----

// Query, key and value have one dtype.
func.func @attention_dtypes(%a: tensor<3x4xf32>, %b: tensor<5x4xf32>, %c: tensor<5x4xbf16>) {
  // expected-error@+1 {{query, key and value must have one dtype, got f32, f32, bf16}}
  %0 = samba.scaled_dot_product_attention %a, %b, %c : (tensor<3x4xf32>, tensor<5x4xf32>, tensor<5x4xbf16>) -> tensor<3x4xf32>
  func.return
}

// -----

// They are matrices, or batches of them.
func.func @attention_rank(%a: tensor<4xf32>, %b: tensor<5x4xf32>, %c: tensor<5x4xf32>) {
  // expected-error@+1 {{query, key and value must have rank 2 or more}}
  %0 = samba.scaled_dot_product_attention %a, %b, %c : (tensor<4xf32>, tensor<5x4xf32>, tensor<5x4xf32>) -> tensor<4xf32>
  func.return
}

// -----

// Queries meet keys.
func.func @attention_head(%a: tensor<3x8xf32>, %b: tensor<5x4xf32>, %c: tensor<5x4xf32>) {
  // expected-error@+1 {{head sizes differ: 8 of query and 4 of key}}
  %0 = samba.scaled_dot_product_attention %a, %b, %c : (tensor<3x8xf32>, tensor<5x4xf32>, tensor<5x4xf32>) -> tensor<3x8xf32>
  func.return
}

// -----

// Every key has a value.
func.func @attention_length(%a: tensor<3x4xf32>, %b: tensor<5x4xf32>, %c: tensor<6x4xf32>) {
  // expected-error@+1 {{lengths differ: 5 of key and 6 of value}}
  %0 = samba.scaled_dot_product_attention %a, %b, %c : (tensor<3x4xf32>, tensor<5x4xf32>, tensor<6x4xf32>) -> tensor<3x4xf32>
  func.return
}

// -----

// A mask and a causal mask are two masks.
func.func @attention_masks(%a: tensor<3x4xf32>, %b: tensor<5x4xf32>, %c: tensor<5x4xf32>, %d: tensor<3x5xf32>) {
  // expected-error@+1 {{attn_mask and is_causal exclude each other}}
  %0 = samba.scaled_dot_product_attention %a, %b, %c, %d {is_causal = true} : (tensor<3x4xf32>, tensor<5x4xf32>, tensor<5x4xf32>, tensor<3x5xf32>) -> tensor<3x4xf32>
  func.return
}

// -----

// A mask fits the scores, which do not grow.
func.func @attention_mask(%a: tensor<3x4xf32>, %b: tensor<5x4xf32>, %c: tensor<5x4xf32>, %d: tensor<2x3x5xf32>) {
  // expected-error@+1 {{attn_mask tensor<2x3x5xf32> cannot be broadcast to the scores [3, 5]}}
  %0 = samba.scaled_dot_product_attention %a, %b, %c, %d : (tensor<3x4xf32>, tensor<5x4xf32>, tensor<5x4xf32>, tensor<2x3x5xf32>) -> tensor<3x4xf32>
  func.return
}
