// An exception of a plug-in is the plug-in's: one diagnostic with its file, the line and the exception.
// RUN: not samba-opt %s --load-pass-plugin=%S/fixtures/failing_passes.py --pass-pipeline=test-key 2>&1 | filecheck %s --check-prefix=KEY
// KEY: failing_passes.py:22: error: the plug-in {{.*}}failing_passes.py raised KeyError: 'größe'
// KEY-NEXT: {}["größe"]
// KEY-NEXT: samba-opt-plugin-failures.mlir:{{.*}}: note: in pass 'test-key' on this 'builtin.module'
// KEY: note: try: correct the plug-in
// KEY-NOT: {{Traceback|internal error}}
// RUN: not samba-opt %s --load-pass-plugin=%S/fixtures/failing_passes.py --pass-pipeline=test-number 2>&1 | filecheck %s --check-prefix=NUMBER
// NUMBER: failing_passes.py:32: error: the plug-in {{.*}} raised ValueError: invalid literal
// RUN: not samba-opt %s --load-pass-plugin=%S/fixtures/failing_passes.py --pass-pipeline=test-exit 2>&1 | filecheck %s --check-prefix=EXIT
// EXIT: failing_passes.py:42: error: the plug-in {{.*}} raised SystemExit: 7
// RUN: not samba-opt %s --load-pass-plugin=%S/fixtures/failing_passes.py --pass-pipeline=test-option 2>&1 | filecheck %s --check-prefix=OPTION
// OPTION: failing_passes.py:54: error: the plug-in {{.*}} raised ZeroDivisionError
// What is wrong with a class is its plug-in's, too, wherever it shows.
// RUN: not samba-opt %s --load-pass-plugin=%S/fixtures/failing_passes.py --pass-pipeline=test-abstract 2>&1 | filecheck %s --check-prefix=ABSTRACT
// ABSTRACT: failing_passes.py:60: error: the plug-in {{.*}} raised TypeError: Can't instantiate
// RUN: not samba-opt %s --load-pass-plugin=%S/fixtures/failing_passes.py --pass-pipeline=test-signature 2>&1 | filecheck %s --check-prefix=SIGNATURE
// SIGNATURE: failing_passes.py:67: error: the plug-in {{.*}} raised TypeError: SignaturePass.apply() takes 2
// RUN: not samba-opt %s --load-pass-plugin=%S/fixtures/failing_passes.py --pass-pipeline=test-key --traceback 2>&1 | filecheck %s --check-prefix=TRACE
// TRACE: Traceback
// RUN: echo 'import sys; sys.exit(3)' > %t.py && not samba-opt %s --load-pass-plugin=%t.py 2>&1 | filecheck %s --check-prefix=IMPORT
// IMPORT: .py:1: error: SystemExit: 3
module {}
