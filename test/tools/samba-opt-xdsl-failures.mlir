// What comes with xDSL and fails says so: no failure of its passes and targets is called ours.

// RUN: not samba-opt %s --pass-pipeline='mlir-opt{executable=no-such-mlir-opt}' 2>&1 | filecheck %s --check-prefix=PROGRAM
// PROGRAM: error: pass 'mlir-opt' runs the program 'no-such-mlir-opt', which is not installed
// PROGRAM: note: try: install it

// RUN: not samba-opt %s --pass-pipeline='apply-pdl{pdl-file=no-such-file}' 2>&1 | filecheck %s --check-prefix=FILE
// FILE: error: pass 'apply-pdl' needs a file, and 'no-such-file' is none
// FILE: note: try: name a file with its option 'pdl-file'

// RUN: not samba-opt %s --pass-pipeline='apply-pdl{pdl-file=%S}' 2>&1 | filecheck %s --check-prefix=FOLDER
// FOLDER: error: pass 'apply-pdl' needs a file, and '{{.*}}tools' is none

// RUN: not samba-opt %s --pass-pipeline='apply-pdl{pdl-file=%S/test_paths.py}' 2>&1 | filecheck %s --check-prefix=OWN
// OWN: error: pass 'apply-pdl', which is xDSL's, failed: ParseError

// RUN: not samba-opt %s -t llvm 2>&1 | filecheck %s --check-prefix=TARGET
// TARGET: error: xDSL cannot write this module for the target 'llvm': {{[A-Za-z]+}}
// TARGET-NOT: mistake of sambaflow

func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
  %0 = samba.exp %x : tensor<2xf32>
  func.return %0 : tensor<2xf32>
}
