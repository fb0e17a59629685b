// What attributes, constants and modules of the samba dialect must not be.
// RUN: samba-opt --verify-diagnostics --split-input-file %s

// A number is a number.
func.func @float(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{attribute 'eps' must be an f64, got "small"}}
  %0 = samba.layer_norm %a {normalized_shape = [4], eps = "small"} : (tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return
}

// -----

// A flag is true or false.
func.func @flag(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{attribute 'largest' must be true or false, got 1}}
  %0, %1 = samba.topk %a {k = 1, largest = 1} : (tensor<2x4xf32>) -> (tensor<2x1xf32>, tensor<2x1xi64>)
  func.return
}

// -----

// A name is a string.
func.func @name(%a: tensor<2xf32>, %b: tensor<2xf32>) {
  // expected-error@+1 {{attribute 'rounding_mode' must be a string, got 1}}
  %0 = samba.div %a, %b {rounding_mode = 1} : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  func.return
}

// -----

// A list is in brackets.
func.func @list(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{attribute 'size' must be a list of integers, got 8}}
  %0 = samba.view %a {size = 8} : (tensor<2x4xf32>) -> tensor<8xf32>
  func.return
}

// -----

// Its elements are integers.
func.func @elements(%a: tensor<2x4xf32>) {
  // expected-error@+1 {{attribute 'size' must be an i64, got true}}
  %0 = samba.view %a {size = [true]} : (tensor<2x4xf32>) -> tensor<8xf32>
  func.return
}

// -----

// A dtype is a type.
func.func @dtype(%a: tensor<2xf32>) {
  // expected-error@+1 {{attribute 'dtype' must be an element type, got "bf16"}}
  %0 = samba.to %a {dtype = "bf16"} : (tensor<2xf32>) -> tensor<2xbf16>
  func.return
}

// -----

// The generic form is checked like the short one.
func.func @generic(%x: tensor<2x4xf32>) {
  // expected-error@+1 {{attribute 'dim' must be an i64, got "last"}}
  %0 = "samba.softmax"(%x) <{dim = "last"}> : (tensor<2x4xf32>) -> tensor<2x4xf32>
  func.return
}

// -----

// A constant holds elements.
func.func @constant() {
  // expected-error@+1 {{a constant holds dense elements, not 1 : i64}}
  %0 = samba.constant 1
  func.return
}

// -----

// Its result has their type.
func.func @constant_type() {
  // expected-error@+1 {{holds tensor<2xi64>, its result is tensor<3xi64>}}
  %0 = "samba.constant"() <{value = dense<1> : tensor<2xi64>}> : () -> tensor<3xi64>
  func.return
}

// -----

// A module passes its operands to its region as they are.
func.func @module(%x: tensor<2xf32>) {
  // expected-error@+1 {{region arguments must have the operands' types}}
  %0 = "samba.module"(%x) <{rule = "m"}> ({
  ^bb0(%a: tensor<3xf32>):
    samba.yield %a : tensor<3xf32>
  }) : (tensor<2xf32>) -> tensor<3xf32>
  func.return
}

// -----

// A sharding is three numbers.
// expected-error@+1 {{expected #samba.shard<dim, outer, chips>}}
func.func @numbers(%a: tensor<2xf32> {samba.shard = #samba.shard<0, 2>}) {
  func.return
}

// -----

// A dimension is cut into at least one part for at least one chip.
// expected-error@+1 {{needs dim >= 0, outer >= 1, chips >= 1, got (0, 0, 2)}}
func.func @parts(%a: tensor<2xf32> {samba.shard = #samba.shard<0, 0, 2>}) {
  func.return
}
