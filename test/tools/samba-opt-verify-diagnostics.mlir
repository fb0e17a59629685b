// What --verify-diagnostics lets pass: every diagnostic is expected, in any of the forms. The other direction is in
// samba-opt-verify-diagnostics-fails.mlir.
// RUN: samba-opt --verify-diagnostics --split-input-file %s 2>&1 >/dev/null | not grep .
// RUN: samba-opt --verify-diagnostics=all --split-input-file %s -o %t.mlir
// RUN: samba-opt --verify-diagnostics --split-input-file --pass-pipeline=samba-fuse --remarks=samba-cse %s 2>&1 >/dev/null | not grep .


// Places: a distance, the next or the last line without expectations.
func.func @places(%a: i32) -> i32 {
  // expected-error@+1 {{'arith.addi' op operand #0 is used before its definition}}
  %0 = arith.addi %1, %a : i32
  // expected-note@below {{the operand is}}
  %1 = arith.addi %a, %a : i32
  return %0 : i32
}

// -----

func.func @above(%a: i32) -> i32 {
  %0 = arith.addi %1, %a : i32
  // expected-error@above {{is used before its definition}}
  // expected-note@+2 {{the operand is defined here}}

  %1 = arith.addi %a, %a : i32
  return %0 : i32
}

// -----

// A regular expression stands in inner braces.
func.func @regular(%a: i32) -> i32 {
  // expected-error-re@+1 {{operand #{{[0-9]+}} is used before its {{definition|use}}}}
  %0 = arith.addi %1, %a : i32
  %1 = arith.addi %a, %a : i32 // expected-note 1 {{the operand is defined here}}
  return %0 : i32
}

// -----

// A place in another file is outside of the input.
func.func @unknown(%a: i32) -> i32 {
  // expected-error@unknown {{is used before its definition}}
  %0 = arith.addi %1, %a : i32 loc("model.py":3:4)
  // expected-note@below {{the operand is defined here}}
  %1 = arith.addi %a, %a : i32
  return %0 : i32
}
