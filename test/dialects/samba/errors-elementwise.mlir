// What elementwise operators refuse: dtypes without a common one, operands and attributes that exclude each other.
// RUN: samba-opt --verify-diagnostics --split-input-file %s

// Promotion knows floats, integers and bools.
func.func @promotion(%a: tensor<2xindex>, %b: tensor<2xi32>) {
  // expected-error@+1 {{cannot promote index and i32}}
  %0 = samba.add %a, %b : (tensor<2xindex>, tensor<2xi32>) -> tensor<2xindex>
  func.return
}

// -----

// An activation is for floats.
func.func @floats(%a: tensor<2xi32>) {
  // expected-error@+1 {{operand must be a float tensor, got tensor<2xi32>}}
  %0 = samba.gelu %a : (tensor<2xi32>) -> tensor<2xi32>
  func.return
}

// -----

// A quotient is rounded down or toward zero, or not at all.
func.func @rounding(%a: tensor<2xf32>, %b: tensor<2xf32>) {
  // expected-error@+1 {{rounding_mode must be "floor" or "trunc", got "up"}}
  %0 = samba.div %a, %b {rounding_mode = "up"} : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  func.return
}

// -----

// Bits of floats are no numbers.
func.func @bits(%a: tensor<2xf32>, %b: tensor<2xf32>) {
  // expected-error@+1 {{bitwise operators need integers or bools, got tensor<2xf32>}}
  %0 = samba.bitwise_and %a, %b : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  func.return
}

// -----

// A condition is a bool.
func.func @condition(%a: tensor<2xi32>, %b: tensor<2xf32>, %c: tensor<2xf32>) {
  // expected-error@+1 {{condition must be i1, got tensor<2xi32>}}
  %0 = samba.where %a, %b, %c : (tensor<2xi32>, tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  func.return
}

// -----

// A mask is a bool.
func.func @mask(%a: tensor<2xf32>, %b: tensor<2xi32>) {
  // expected-error@+1 {{mask must be i1, got tensor<2xi32>}}
  %0 = samba.masked_fill %a, %b {value = 0.0} : (tensor<2xf32>, tensor<2xi32>) -> tensor<2xf32>
  func.return
}

// -----

// What is filled in is an operand or an attribute.
func.func @value(%a: tensor<2xf32>, %b: tensor<2xi1>) {
  // expected-error@+1 {{needs either a value operand or the attribute 'value'}}
  %0 = samba.masked_fill %a, %b : (tensor<2xf32>, tensor<2xi1>) -> tensor<2xf32>
  func.return
}

// -----

// It is not both.
func.func @values(%a: tensor<2xf32>, %b: tensor<2xi1>, %c: tensor<f32>) {
  // expected-error@+1 {{needs either a value operand or the attribute 'value'}}
  %0 = samba.masked_fill %a, %b, %c {value = 0.0} : (tensor<2xf32>, tensor<2xi1>, tensor<f32>) -> tensor<2xf32>
  func.return
}

// -----

// An operand that is filled in is one number.
func.func @scalar(%a: tensor<2xf32>, %b: tensor<2xi1>, %c: tensor<2xf32>) {
  // expected-error@+1 {{value must have rank 0, got tensor<2xf32>}}
  %0 = samba.masked_fill %a, %b, %c : (tensor<2xf32>, tensor<2xi1>, tensor<2xf32>) -> tensor<2xf32>
  func.return
}
