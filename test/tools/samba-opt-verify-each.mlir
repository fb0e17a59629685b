// --verify-each finds the first pass that breaks the IR: by dominance, which xDSL's verifier does not see ...
// RUN: samba-opt %s --pass-pipeline=o1 --verify-each | filecheck %s --check-prefix=GOOD
// GOOD: rdu.program
// RUN: not samba-opt %s --load-pass-plugin=%S/fixtures/broken_passes.py --pass-pipeline=test-break-dominance,samba-cse --verify-each 2>&1 | filecheck %s --check-prefix=DOMINANCE
// DOMINANCE: samba-opt-verify-each.mlir:23:8: error: 'samba.relu' op operand #0 is used before its definition (after test-break-dominance)
// DOMINANCE-NEXT: %1 = samba.relu %0
// DOMINANCE-NEXT: {{^}}       ^
// DOMINANCE: 22:8: note: the operand is defined here

// ... and what a pass says that it leaves.
// RUN: not samba-opt %s --load-pass-plugin=%S/fixtures/broken_passes.py --pass-pipeline=test-break-promise --verify-each 2>&1 | filecheck %s --check-prefix=PROMISE
// PROMISE: raised AssertionError: test-break-promise does not leave 'target': 'builtin.module' op has no rdu.target attribute

// Without it the module is verified after the last pass; with --disable-verify not at all.
// RUN: not samba-opt %s --load-pass-plugin=%S/fixtures/broken_passes.py --pass-pipeline=test-break-dominance,samba-cse 2>&1 | filecheck %s --check-prefix=LAST
// LAST: (after samba-cse)
// RUN: samba-opt %s --load-pass-plugin=%S/fixtures/broken_passes.py --pass-pipeline=test-break-dominance --disable-verify | filecheck %s --check-prefix=NONE
// NONE: samba.relu

func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
  // The pass that breaks dominance moves the first op behind the others.
  %0 = samba.exp %x : tensor<2xf32>
  %1 = samba.relu %0 : tensor<2xf32>
  return %1 : tensor<2xf32>
}
