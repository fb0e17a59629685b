// The IR is printed around passes on standard error, headed as mlir-opt heads it.

// RUN: samba-opt %s --pass-pipeline=samba-canonicalize,samba-cse --print-ir-before=samba-cse 2>&1 >/dev/null | filecheck %s --check-prefix=BEFORE
// BEFORE-NOT: samba-canonicalize
// BEFORE: // -----// IR Dump Before SambaCsePass (samba-cse) //----- //
// BEFORE-NEXT: builtin.module {
// BEFORE: samba.exp
// BEFORE: samba.exp

// RUN: samba-opt %s --pass-pipeline=samba-canonicalize,samba-cse --print-ir-after=samba-cse 2>&1 >/dev/null | filecheck %s --check-prefix=AFTER
// AFTER-NOT: samba-canonicalize
// AFTER: // -----// IR Dump After SambaCsePass (samba-cse) //----- //
// AFTER: samba.exp
// AFTER-NOT: samba.exp

// RUN: samba-opt %s --pass-pipeline=samba-canonicalize,samba-cse --print-ir-before-all 2>&1 >/dev/null | filecheck %s --check-prefix=BEFORE-ALL
// BEFORE-ALL: IR Dump Before SambaCanonicalizePass (samba-canonicalize)
// BEFORE-ALL: IR Dump Before SambaCsePass (samba-cse)

// RUN: samba-opt %s --pass-pipeline=samba-canonicalize,samba-cse --print-ir-after-all 2>&1 >/dev/null | filecheck %s --check-prefix=AFTER-ALL
// AFTER-ALL: IR Dump After SambaCanonicalizePass (samba-canonicalize)
// AFTER-ALL: IR Dump After SambaCsePass (samba-cse)

// Only passes that changed the IR: canonicalize has nothing to do, the second cse neither.
// RUN: samba-opt %s --pass-pipeline=samba-canonicalize,samba-cse,samba-cse --print-ir-after-change 2>&1 >/dev/null | filecheck %s --check-prefix=CHANGE
// CHANGE-NOT: samba-canonicalize
// CHANGE: IR Dump After SambaCsePass (samba-cse)
// CHANGE-NOT: IR Dump

// Only a pass that failed; nothing when none does.
// RUN: samba-opt %s --pass-pipeline=samba-cse --print-ir-after-failure 2>&1 >/dev/null | not grep .
// RUN: not samba-opt %s --pass-pipeline=samba-cse,kernel-tile --print-ir-after-failure 2>&1 | filecheck %s --check-prefix=FAILURE
// FAILURE-NOT: samba-cse)
// FAILURE: // -----// IR Dump After KernelTilePass Failed (kernel-tile) //----- //
// FAILURE: builtin.module {
// FAILURE: error: 'builtin.module' op has no rdu.target attribute: kernel-tile needs that the module names its machine

// A nested pass prints the op that it ran on, or with --print-ir-module-scope the whole module.
// RUN: samba-opt %s --pass-pipeline='func.func(samba-cse)' --print-ir-after-all 2>&1 >/dev/null | filecheck %s --check-prefix=NEST
// NEST: // -----// IR Dump After SambaCsePass (samba-cse) ('func.func' operation: @f) //----- //
// NEST-NEXT: func.func @f
// NEST: // -----// IR Dump After SambaCsePass (samba-cse) ('func.func' operation: @g) //----- //
// NEST-NEXT: func.func @g
// RUN: samba-opt %s --pass-pipeline='func.func(samba-cse)' --print-ir-after-all --print-ir-module-scope 2>&1 >/dev/null | filecheck %s --check-prefix=SCOPE
// SCOPE: ('func.func' operation: @f) //----- //
// SCOPE-NEXT: builtin.module {

// The printing flags of xDSL hold for these prints.
// RUN: samba-opt %s --pass-pipeline=samba-cse --print-ir-after-all --print-op-generic 2>&1 >/dev/null | filecheck %s --check-prefix=GENERIC
// GENERIC: "builtin.module"() ({

// As a tree of files: a folder for each op, numbered in the order of the passes.
// RUN: rm -rf %t && samba-opt %s --pass-pipeline='samba-canonicalize,func.func(samba-cse)' --print-ir-after-all --print-ir-before=samba-cse --print-ir-tree-dir=%t > /dev/null
// RUN: filecheck %s --check-prefix=TREE < %t/builtin_module_no-symbol-name/0_samba-canonicalize-after.mlir
// TREE: // -----// IR Dump After SambaCanonicalizePass (samba-canonicalize) //----- //
// TREE: samba.exp
// RUN: filecheck %s --check-prefix=TREE-G < %t/builtin_module_no-symbol-name/func_func_g/1_0_samba-cse-before.mlir
// TREE-G: IR Dump Before SambaCsePass (samba-cse) ('func.func' operation: @g)

// A name that no pass has is refused.
// RUN: not samba-opt %s --print-ir-after=samba-ces 2>&1 | filecheck %s --check-prefix=UNKNOWN
// UNKNOWN: error: unknown pass 'samba-ces'; did you mean 'samba-cse'?

func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = samba.exp %x : tensor<2xf32>
  %1 = samba.exp %x : tensor<2xf32>
  %2 = samba.add %0, %1 : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return %2 : tensor<2xf32>
}

func.func @g(%x: tensor<2xf32>) -> tensor<2xf32> {
  return %x : tensor<2xf32>
}
