// What normalisations, reductions, losses and poolings refuse.
// RUN: samba-opt --verify-diagnostics --split-input-file %s

// A norm is over the last dimensions.
func.func @norm_shape(%a: tensor<2x3x4xf32>) {
  // expected-error@+1 {{normalized_shape [3] is not the end of tensor<2x3x4xf32>}}
  %0 = samba.layer_norm %a {normalized_shape = [3]} : (tensor<2x3x4xf32>) -> tensor<2x3x4xf32>
  func.return
}

// -----

// Its weight has their shape.
func.func @norm_weight(%a: tensor<2x3x4xf32>, %b: tensor<3xf32>) {
  // expected-error@+1 {{weight must have shape [4], got tensor<3xf32>}}
  %0 = samba.layer_norm %a, %b {normalized_shape = [4]} : (tensor<2x3x4xf32>, tensor<3xf32>) -> tensor<2x3x4xf32>
  func.return
}

// -----

// Channels are dimension 1.
func.func @channels(%a: tensor<3xf32>, %b: tensor<3xf32>, %c: tensor<3xf32>) {
  // expected-error@+1 {{input must have rank 2 or more, got tensor<3xf32>}}
  %0 = samba.batch_norm %a, %b, %c : (tensor<3xf32>, tensor<3xf32>, tensor<3xf32>) -> tensor<3xf32>
  func.return
}

// -----

// Statistics are one number per channel.
func.func @statistics(%a: tensor<2x3x4xf32>, %b: tensor<4xf32>, %c: tensor<3xf32>) {
  // expected-error@+1 {{a parameter must have shape [3], got tensor<4xf32>}}
  %0 = samba.batch_norm %a, %b, %c : (tensor<2x3x4xf32>, tensor<4xf32>, tensor<3xf32>) -> tensor<2x3x4xf32>
  func.return
}

// -----

// Groups are of one size.
func.func @groups(%a: tensor<2x4x3xf32>) {
  // expected-error@+1 {{4 channels do not divide in 3 groups}}
  %0 = samba.group_norm %a {num_groups = 3} : (tensor<2x4x3xf32>) -> tensor<2x4x3xf32>
  func.return
}

// -----

// A dimension counts from the front, or, negative, from the back.
func.func @dimension(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{dim = 2 is out of range for rank 2}}
  %0 = samba.softmax %a {dim = 2} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return
}

// -----

// It is reduced once.
func.func @twice(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{dim = [1, -1] names a dimension twice}}
  %0 = samba.sum %a {dim = [1, -1]} : (tensor<2x4xf32>) -> tensor<2xf32>
  func.return
}

// -----

// There are no more largest elements than elements.
func.func @topk(%a: tensor<2x5xf32>) {
  // expected-error@+1 {{k = 6 is out of range for dimension 1 of tensor<2x5xf32>}}
  %0, %1 = samba.topk %a {k = 6} : (tensor<2x5xf32>) -> (tensor<2x6xf32>, tensor<2x6xi64>)
  func.return
}

// -----

// Logits have a class dimension, and a batch at most.
func.func @logits(%a: tensor<2x3x4xf32>, %b: tensor<2x4xi64>) {
  // expected-error@+1 {{logits must have shape [classes] or [batch, classes], got tensor<2x3x4xf32>}}
  %0 = samba.cross_entropy_loss %a, %b : (tensor<2x3x4xf32>, tensor<2x4xi64>) -> tensor<2x3x4xf32>
  func.return
}

// -----

// Targets are class numbers.
func.func @probabilities(%a: tensor<2x3xf32>, %b: tensor<2x3xf32>) {
  // expected-error@+1 {{targets must be class numbers, class probabilities are not supported}}
  %0 = samba.cross_entropy_loss %a, %b : (tensor<2x3xf32>, tensor<2x3xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// Numbers are integers.
func.func @target_dtype(%a: tensor<2x3xf32>, %b: tensor<2xindex>) {
  // expected-error@+1 {{target must hold integers, got tensor<2xindex>}}
  %0 = samba.cross_entropy_loss %a, %b : (tensor<2x3xf32>, tensor<2xindex>) -> tensor<2x3xf32>
  func.return
}

// -----

// There is one for each row of the logits.
func.func @target_shape(%a: tensor<2x3xf32>, %b: tensor<3xi64>) {
  // expected-error@+1 {{target must have shape [2], got tensor<3xi64>}}
  %0 = samba.cross_entropy_loss %a, %b : (tensor<2x3xf32>, tensor<3xi64>) -> tensor<2x3xf32>
  func.return
}

// -----

// Classes are weighted.
func.func @class_weight(%a: tensor<2x3xf32>, %b: tensor<2xi64>, %c: tensor<2xf32>) {
  // expected-error@+1 {{weight must have shape [3], got tensor<2xf32>}}
  %0 = samba.cross_entropy_loss %a, %b, %c : (tensor<2x3xf32>, tensor<2xi64>, tensor<2xf32>) -> tensor<2x3xf32>
  func.return
}

// -----

// The losses of a batch are kept, averaged or summed.
func.func @reduction(%a: tensor<2x3xf32>, %b: tensor<2xi64>) {
  // expected-error@+1 {{reduction must be "none", "mean" or "sum", got "max"}}
  %0 = samba.cross_entropy_loss %a, %b {reduction = "max"} : (tensor<2x3xf32>, tensor<2xi64>) -> tensor<2x3xf32>
  func.return
}

// -----

// A pooling is over images.
func.func @pool_rank(%a: tensor<6x6xf32>) {
  // expected-error@+1 {{input must have rank 3 or 4, got tensor<6x6xf32>}}
  %0 = samba.max_pool2d %a {kernel_size = [2, 2]} : (tensor<6x6xf32>) -> tensor<6x6xf32>
  func.return
}

// -----

// A window of padding alone has no maximum.
func.func @pool_padding(%a: tensor<2x6x6xf32>) {
  // expected-error@+1 {{padding [2, 2] is more than half of the kernel [2, 2]}}
  %0 = samba.max_pool2d %a {kernel_size = [2, 2], padding = [2, 2]} : (tensor<2x6x6xf32>) -> tensor<2x6x6xf32>
  func.return
}

// -----

// So is an adaptive one.
func.func @adaptive_rank(%a: tensor<6x6xf32>) {
  // expected-error@+1 {{input must have rank 3 or 4, got tensor<6x6xf32>}}
  %0 = samba.adaptive_avg_pool2d %a {output_size = [1, 1]} : (tensor<6x6xf32>) -> tensor<6x6xf32>
  func.return
}
