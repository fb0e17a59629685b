// RUN: samba-opt --split-input-file --verify-diagnostics %s

// Numbers for which PyTorch has no result either: they are refused before anything is computed from them.
func.func @scalar(%x: tensor<f32>) {
  // expected-error@+1 {{needs a dimension to work along, got tensor<f32>}}
  %0 = samba.select %x {dim = 0, index = 0} : tensor<f32>
  func.return
}

// -----

func.func @stride(%x: tensor<1x2x5x5xf32>, %w: tensor<3x2x3x3xf32>) {
  // expected-error@+1 {{window sizes must be positive, the padding not negative: kernel 3, stride 0, dilation 1, padding 0}}
  %0 = samba.conv2d %x, %w {stride = [0]} : (tensor<1x2x5x5xf32>, tensor<3x2x3x3xf32>) -> tensor<1x3x3x3xf32>
  func.return
}

// -----

func.func @two_strides(%x: tensor<1x2x5xf32>, %w: tensor<3x2x3xf32>) {
  // expected-error@+1 {{expected one number, got [1, 1]}}
  %0 = samba.conv1d %x, %w {stride = [1, 1]} : (tensor<1x2x5xf32>, tensor<3x2x3xf32>) -> tensor<1x3x3xf32>
  func.return
}

// -----

func.func @groups(%x: tensor<1x0x5xf32>, %w: tensor<3x0x3xf32>) {
  // expected-error@+1 {{weight tensor<3x0x3xf32> does not fit 0 input channels in 0 groups}}
  %0 = samba.conv1d %x, %w {groups = 0} : (tensor<1x0x5xf32>, tensor<3x0x3xf32>) -> tensor<1x3x3xf32>
  func.return
}

// -----

func.func @norm_groups(%x: tensor<2x4x3xf32>) {
  // expected-error@+1 {{4 channels do not divide in -2 groups}}
  %0 = samba.group_norm %x {num_groups = -2} : tensor<2x4x3xf32>
  func.return
}

// -----

func.func @heads(%q: tensor<1x0x3x4xf32>) {
  // expected-error@+1 {{query heads must be a multiple of the key heads}}
  %0 = samba.scaled_dot_product_attention %q, %q, %q {enable_gqa = true} : (tensor<1x0x3x4xf32>, tensor<1x0x3x4xf32>, tensor<1x0x3x4xf32>) -> tensor<1x0x3x4xf32>
  func.return
}

// -----

func.func @pooled(%x: tensor<1x2x6x6xf32>) {
  // expected-error@+1 {{output_size [-1, -1] is negative}}
  %0 = samba.adaptive_avg_pool2d %x {output_size = [-1]} : (tensor<1x2x6x6xf32>) -> tensor<1x2x1x1xf32>
  func.return
}

// -----

func.func @chunks(%x: tensor<4xf32>) {
  // expected-error@+1 {{chunks must be 1 or more, got 0}}
  %0 = samba.chunk %x {chunks = 0} : tensor<4xf32>
  func.return
}

// -----

func.func @parts(%x: tensor<4xf32>) {
  // expected-error@+1 {{split_size [5, -1] does not add up to 4}}
  %0, %1 = samba.split %x {split_size = [5, -1]} : (tensor<4xf32>) -> (tensor<5xf32>, tensor<4xf32>)
  func.return
}

// -----

func.func @pieces(%x: tensor<70000xf32>) {
  // expected-error@+1 {{unbind of a dimension of 70000 in pieces of 1 has more than 65536 results}}
  %0 = samba.unbind %x : (tensor<70000xf32>) -> tensor<f32>
  func.return
}

// -----

func.func @repeats(%x: tensor<4xf32>) {
  // expected-error@+1 {{repeats [-1] is negative}}
  %0 = samba.repeat %x {repeats = [-1]} : tensor<4xf32>
  func.return
}

// -----

func.func @repeated(%x: tensor<4xf32>) {
  // expected-error@+1 {{repeats -1 is negative}}
  %0 = samba.repeat_interleave %x {repeats = -1, dim = 0} : tensor<4xf32>
  func.return
}

// -----

func.func @ranks(%x: tensor<4xf32>, %i: tensor<2xi64>, %s: tensor<2x2xf32>) {
  // expected-error@+1 {{src must have rank 1, got tensor<2x2xf32>}}
  %0 = samba.scatter %x, %i, %s {dim = 0} : (tensor<4xf32>, tensor<2xi64>, tensor<2x2xf32>) -> tensor<4xf32>
  func.return
}

// -----

func.func @joined(%x: tensor<4xf32>, %y: tensor<f32>) {
  // expected-error@+1 {{tensor<f32> and tensor<4xf32> differ outside dimension 0}}
  %0 = samba.cat %x, %y : (tensor<4xf32>, tensor<f32>) -> tensor<5xf32>
  func.return
}

// -----

func.func @endless() {
  // expected-error@+1 {{start, end and step must be finite}}
  %0 = samba.arange {end = 0x7ff0000000000000 : f64, dtype = f32} : tensor<4xf32>
  func.return
}
