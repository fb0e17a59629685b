// Every refusal is one diagnostic at its place, and --verify-diagnostics checks it.
// RUN: samba-opt --verify-diagnostics --split-input-file %s

func.func @use_before_definition(%a: i32) -> i32 {
  // expected-error@+1 {{'arith.addi' op operand #0 is used before its definition}}
  %0 = arith.addi %1, %a : i32
  // expected-note@below {{the operand is defined here}}
  %1 = arith.addi %a, %a : i32
  return %0 : i32
}

// -----

// A value of one branch does not reach the block where the branches meet.
func.func @branches(%c: i1, %a: i32) -> i32 {
  cf.cond_br %c, ^left, ^right
^left:
  // expected-note@below {{the operand is defined here}}
  %0 = arith.addi %a, %a : i32
  cf.br ^join
^right:
  cf.br ^join
^join:
  // expected-error@below {{operand #0 is used before its definition}}
  return %0 : i32
}

// -----

// Definitions reach into the blocks and regions that they dominate.
func.func @dominated(%c: i1, %a: i32) -> i32 {
  %0 = arith.addi %a, %a : i32
  cf.cond_br %c, ^left, ^join
^left:
  %1 = scf.if %c -> (i32) {
    scf.yield %0 : i32
  } else {
    scf.yield %a : i32
  }
  cf.br ^join
^join:
  return %0 : i32
}

// -----

func.func @unknown_op() {
  // expected-error@+1 {{unknown op 'samba.no_such_operator'}}
  samba.no_such_operator
  return
}

// -----

func.func @shape_mismatch(%a: i32, %b: i64) -> i32 {
  // expected-error@+1 {{operand is used with type i32, but has been previously used or defined with type i64}}
  %0 = arith.addi %a, %b : i32
  return %0 : i32
}

// -----

func.func @verifier(%a: i32) -> i64 {
  // expected-error@+1 {{'func.return' op}}
  return %a : i32
}

// -----

// expected-error@below {{expected an op, found '['}}
[this is not MLIR]

// -----

// Discardable attributes of samba functions are checked too.
// expected-error@+1 {{result 0 is tensor<3xf32>, tied to an argument of tensor<2xf32>}}
func.func @tied(%a: tensor<2xf32>, %b: tensor<3xf32>) -> (tensor<3xf32> {samba.tied = 0 : i64}) {
  return %b : tensor<3xf32>
}
