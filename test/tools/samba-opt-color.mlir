// Colours are for terminals; --color (alone: always) and --color=never decide over NO_COLOR and over the terminal.
// RUN: not samba-opt %s 2>&1 | filecheck %s --check-prefix=PLAIN
// RUN: env NO_COLOR=1 not samba-opt --color %s 2>&1 | filecheck %s --check-prefix=COLOR
// RUN: not samba-opt --color=always %s 2>&1 | filecheck %s --check-prefix=COLOR
// RUN: not samba-opt --color=never %s 2>&1 | filecheck %s --check-prefix=PLAIN
// RUN: not samba-translate --color --to-pef %s 2>&1 | filecheck %s --check-prefix=COLOR
// RUN: not samba-compile --color %s -o %t.pef 2>&1 | filecheck %s --check-prefix=COLOR
// RUN: not samba-run --color=always %s 2>&1 | filecheck %s --check-prefix=RUN-COLOR
// RUN: not samba-opt --color=perhaps %s 2>&1 | filecheck %s --check-prefix=USAGE

// PLAIN-NOT: {{\[1;31m}}
// PLAIN: samba-opt-color.mlir:21:8: error: 'arith.addi' op operand #0 is used before its definition
// COLOR: {{\[1m.*samba-opt-color.mlir:21:8: .*\[1;31merror: .*\[0m.*\[1m'arith.addi' op operand #0 is used}}
// COLOR: {{\[1;32m       \^~~~~~~~~~.*\[0m}}
// COLOR: {{\[1;36mnote: .*\[0mthe operand is defined here}}
// RUN-COLOR: {{\[1;31merror: }}
// USAGE: argument --color: invalid choice: 'perhaps'

func.func @f(%a: i32) -> i32 {
  // The marker is as long as the name of the op.
  %0 = arith.addi %1, %a : i32
  %1 = arith.addi %a, %a : i32
  return %0 : i32
}
