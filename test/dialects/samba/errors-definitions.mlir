// What the definitions of the samba ops say by themselves: which fields there are, and of what kind.
// RUN: samba-opt --verify-diagnostics --split-input-file %s

// Operators work on tensors.
func.func @f(%x: f32) {
  // expected-error@below {{f32 should be of base attribute tensor}}
  %0 = samba.relu %x : f32
  func.return
}

// -----

// Attributes without a default are given, in the generic form too.
func.func @f(%x: tensor<2xf32>) {
  // expected-error@below {{property 'dim' expected}}
  %0 = "samba.softmax"(%x) : (tensor<2xf32>) -> tensor<2xf32>
  func.return
}

// -----

// A constant is dense elements.
func.func @f() {
  // expected-error@below {{1 : i64 should be of base attribute dense}}
  %0 = "samba.constant"() <{value = 1 : i64}> : () -> tensor<2xi64>
  func.return
}

// -----

// A module names its rule.
func.func @f(%x: tensor<2xf32>) {
  // expected-error@below {{property 'rule' expected}}
  %0 = "samba.module"(%x) ({
  ^bb0(%a: tensor<2xf32>):
    samba.yield %a : tensor<2xf32>
  }) : (tensor<2xf32>) -> tensor<2xf32>
  func.return
}
