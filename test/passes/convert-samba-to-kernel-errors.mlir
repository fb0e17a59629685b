// RUN: samba-opt --pass-pipeline=convert-samba-to-kernel --verify-diagnostics --split-input-file %s

// No unit of the machine computes in f64.
func.func @wide(%x: tensor<2xf64>) -> tensor<2xf64> {
  // expected-error@below {{works on tensor<2xf64>; no unit computes in f64}}
  // expected-note@below {{try: use f32}}
  %0 = samba.exp %x : tensor<2xf64>
  func.return %0 : tensor<2xf64>
}

// -----

// Integer powers are products, of which an exponent of the program's says how many; others need a float.
func.func @power(%x: tensor<2xi64>) -> tensor<2xi64> {
  // expected-error@below {{takes a constant exponent of 0 or more on integers}}
  // expected-note@below {{try: cast to f32 first}}
  %0 = samba.pow %x {exponent = -1} : tensor<2xi64>
  func.return %0 : tensor<2xi64>
}

// -----

// Nor in what is no number of a known width.
func.func @index(%x: tensor<2xindex>) -> tensor<2xf32> {
  // expected-error@below {{works on tensor<2xindex>; no unit computes in index}}
  // expected-note@below {{try: use f32, or a type of integers up to i64}}
  %0 = samba.to %x {dtype = f32} : (tensor<2xindex>) -> tensor<2xf32>
  func.return %0 : tensor<2xf32>
}

// -----

// A tensor without elements has no domain.
func.func @empty(%x: tensor<0x2xf32>) -> tensor<0x2xf32> {
  // expected-error@+1 {{works on tensor<0x2xf32>, which has no elements}}
  %0 = samba.exp %x : tensor<0x2xf32>
  func.return %0 : tensor<0x2xf32>
}

// -----

// A constant without elements fills nothing.
func.func @empty() -> tensor<0x3xf32> {
  // expected-error@below {{is tensor<0x3xf32>, which has no elements}}
  %0 = samba.constant dense<> : tensor<0x3xf32>
  func.return %0 : tensor<0x3xf32>
}

// -----

// A number that the operand's type has not is refused, as by PyTorch.
func.func @range(%x: tensor<2xf32>) -> tensor<2xf32> {
  // expected-error@below {{'samba.clamp' op -1e+64 is no number of type f32}}
  %0 = samba.clamp %x {min = -1.0e+64} : tensor<2xf32>
  func.return %0 : tensor<2xf32>
}

// -----

// A sort makes keys of values and positions, for which i64 leaves no bits.
func.func @sort_of_wide_integers(%x: tensor<4xi64>) -> tensor<4xi64> {
  // expected-error@below {{does not sort i64}}
  // expected-note@below {{try: cast to i32 or f32 first}}
  %0, %1 = samba.sort %x : (tensor<4xi64>) -> (tensor<4xi64>, tensor<4xi64>)
  func.return %0 : tensor<4xi64>
}

// -----

// All pairs of a sort are kept beside each other.
func.func @sort_of_many(%x: tensor<4096xf32>) -> tensor<4096xf32> {
  // expected-error@below {{is too long}}
  // expected-note@below {{needs 4096 elements, has 2048 elements}}
  // expected-note@below {{try: use topk}}
  %0, %1 = samba.sort %x : (tensor<4096xf32>) -> (tensor<4096xf32>, tensor<4096xi64>)
  func.return %0 : tensor<4096xf32>
}
