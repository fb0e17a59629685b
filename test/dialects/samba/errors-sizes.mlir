// RUN: samba-opt --split-input-file --verify-diagnostics %s

// Tensors whose bytes no 64-bit number addresses are refused, whether an operator reads them or not.
func.func @operator(%x: tensor<4xf32>) {
  // expected-error@+1 {{needs tensors of at most 72057594037927936 elements}}
  %0 = samba.expand %x {size = [99999999999999999, 4]} : (tensor<4xf32>) -> tensor<99999999999999999x4xf32>
  func.return
}

// -----

// expected-error@+1 {{function @argument: needs tensors of at most 72057594037927936 elements}}
func.func @argument(%x: tensor<18446744073709551616x8xf32>) {
  func.return
}

// -----

// A size counts although there are no elements.
// expected-error@+1 {{function @empty: needs tensors of at most 72057594037927936 elements}}
func.func @empty(%x: tensor<18446744073709551616x0xf32>) {
  func.return
}
