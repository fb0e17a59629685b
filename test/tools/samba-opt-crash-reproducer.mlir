// When a pass fails, --crash-reproducer writes the IR in front of it and how to run it; one command replays it.

// A pass that fails in a way that it did not foresee: the file holds that pass alone, and the IR as it was before.
// RUN: rm -f %t && not samba-opt %s --load-pass-plugin=%S/fixtures/broken_passes.py --pass-pipeline='samba-cse,func.func(samba-cse,test-break-down)' --crash-reproducer=%t 2>&1 | filecheck %s --check-prefix=CRASH
// CRASH: broken_passes.py:{{[0-9]+}}: error: the plug-in {{.*}} raised KeyError: 'nobody thought of this'
// CRASH: note: try: correct the plug-in: samba-opt --traceback
// RUN: filecheck %s --check-prefix=FILE < %t
// FILE: // configuration: '--pass-pipeline=builtin.module(func.func(test-break-down))'
// FILE-NEXT: // failed with: the plug-in {{.*}} raised KeyError
// FILE-NEXT: // replay with: samba-opt --run-reproducer {{.*}} --load-pass-plugin={{.*}}broken_passes.py
// FILE-NEXT: "builtin.module"() ({
// FILE-NOT: touched
// FILE-COUNT-1: "samba.exp"
// RUN: not samba-opt --run-reproducer %t --load-pass-plugin=%S/fixtures/broken_passes.py 2>&1 | filecheck %s --check-prefix=CRASH

// The traceback of an internal error, for whoever mends the pass.
// RUN: not samba-opt --run-reproducer %t --load-pass-plugin=%S/fixtures/broken_passes.py --traceback 2>&1 | filecheck %s --check-prefix=TRACE
// TRACE: Traceback (most recent call last):
// TRACE: broken_passes.py
// TRACE: KeyError

// A refusal is reproduced as well.
// RUN: rm -f %t && not samba-opt %s --pass-pipeline='samba-cse,kernel-tile' --crash-reproducer=%t 2>&1 | filecheck %s --check-prefix=REFUSED
// RUN: not samba-opt --run-reproducer %t 2>&1 | filecheck %s --check-prefix=REFUSED
// REFUSED: error: 'builtin.module' op has no rdu.target attribute: kernel-tile needs that the module names its machine
// REFUSED: note: try: run set-target first

// No failure, no file; and a file that is no reproducer is refused.
// RUN: rm -f %t && samba-opt %s --pass-pipeline=samba-cse --crash-reproducer=%t > /dev/null && not ls %t
// RUN: not samba-opt --run-reproducer %s 2>&1 | filecheck %s --check-prefix=OTHER
// OTHER: :1:1: error: not a reproducer

// A file names passes and how they are checked. What runs code or writes files is the command line's.
// RUN: not samba-opt --run-reproducer %S/fixtures/loads_a_plugin.mlir 2>&1 | filecheck %s --check-prefix=PLUGIN
// PLUGIN: loads_a_plugin.mlir:1:1: error: a reproducer may not set '--load-pass-plugin', which belongs on the command line
// RUN: not samba-opt --run-reproducer %S/fixtures/runs_a_program.mlir 2>&1 | filecheck %s --check-prefix=PROGRAM
// PROGRAM: runs_a_program.mlir:1:1: error: a reproducer may not run the pass 'mlir-opt', which starts a program

func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = samba.exp %x : tensor<2xf32>
  %1 = samba.exp %x : tensor<2xf32>
  %2 = samba.add %0, %1 : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  return %2 : tensor<2xf32>
}
