// --load-pass-plugin adds the passes of a Python file: to pipelines, to the lists and to the help.
// RUN: not samba-opt %s --load-pass-plugin=%S/fixtures/broken_passes.py --pass-pipeline=test-refuse 2>&1 | filecheck %s --check-prefix=RUNS
// RUNS: samba-opt-load-pass-plugin.mlir:20:1: error: 'func.func' op is refused
// RUNS-NEXT: func.func @f
// RUNS: note: needs 2 PCUs, has 1 PCU, short by 1 PCU
// RUNS: note: try: do not run it
// RUN: samba-opt --load-pass-plugin=%S/fixtures/broken_passes.py --list-passes | filecheck %s --check-prefix=LIST
// LIST: test-refuse {{ +}}Refuses every function.
// RUN: samba-opt --load-pass-plugin=%S/fixtures/broken_passes.py --help-pass test-break-promise | filecheck %s --check-prefix=HELP
// HELP: Leaves:
// HELP-NEXT: target

// A file that is not there, is not Python (the function below is not), or defines no pass is refused.
// RUN: not samba-opt %s --load-pass-plugin=%t-missing.py 2>&1 | filecheck %s --check-prefix=MISSING
// MISSING: -missing.py: error: No such file or directory
// RUN: not samba-opt %s --load-pass-plugin=%s 2>&1 | filecheck %s --check-prefix=PYTHON
// PYTHON: samba-opt-load-pass-plugin.mlir:20: error: SyntaxError
// RUN: echo 'x = 1' > %t.py && not samba-opt %s --load-pass-plugin=%t.py 2>&1 | filecheck %s --check-prefix=EMPTY
// EMPTY: error: the file defines no pass
func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
  return %x : tensor<2xf32>
}
