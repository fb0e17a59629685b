// Pipelines are lists of passes and modes with typed options, nested by op; --dump-pass-pipeline spells them out.

// Whitespace may stand anywhere; numbers may be in scientific notation or hexadecimal, words one of a set.
// RUN: samba-opt %s --dump-pass-pipeline --pass-pipeline=' convert-samba-to-kernel, kernel-fuse-stages { scope = groups max-inputs=1e1 } , set-target{chips=0x2}' 2>&1 | filecheck %s --check-prefix=OPTIONS
// OPTIONS: builtin.module(convert-samba-to-kernel,kernel-fuse-stages{scope=groups max-inputs=10},set-target{chips=2})

// A mode gives its options to the passes of its list.
// RUN: samba-opt %s --dump-pass-pipeline --pass-pipeline='o1{chips=2 rules=default}' 2>&1 | filecheck %s --check-prefix=MODE
// MODE: builtin.module(set-target{chips=2},{{.*}}samba-fuse{rules=default}
// MODE-SAME: kernel-cut-sections{mode=o1}

// Passes nest by function and by program; what is dumped can be given again.
// RUN: samba-opt %s --dump-pass-pipeline --pass-pipeline='builtin.module(set-target, func.func(samba-cse, samba-fuse))' 2>&1 | filecheck %s --check-prefix=NEST
// NEST: builtin.module(set-target,func.func(samba-cse,samba-fuse{rules=default}))
// NEST: rdu.target
// NEST: samba.module "base_gemm"
// RUN: samba-opt %s --pass-pipeline='o0, rdu.program(rdu-place{seed=1})' | filecheck %s --check-prefix=PROGRAM
// PROGRAM: rdu.program
// PROGRAM: coordinates

// A pass stands only in the nest of an op that it runs on.
// RUN: not samba-opt %s --pass-pipeline='func.func(samba-shard)' 2>&1 | filecheck %s --check-prefix=ANCHOR
// ANCHOR: <pass-pipeline>:1:1: error: pass 'samba-shard' runs on builtin.module, not on func.func
// ANCHOR: note: try: put it into builtin.module(...)

// Misspelt passes, modes and options get the nearest name; values are typed.
// RUN: not samba-opt %s --pass-pipeline=samba-fues 2>&1 | filecheck %s --check-prefix=PASS
// PASS: error: unknown pass 'samba-fues'; did you mean 'samba-fuse'?
// RUN: not samba-opt %s --pass-pipeline='o1{chip=2}' 2>&1 | filecheck %s --check-prefix=OPTION
// OPTION: error: pipeline 'o1' has no option 'chip'; did you mean 'chips'?
// RUN: not samba-opt %s --pass-pipeline='rdu-place{move=2}' 2>&1 | filecheck %s --check-prefix=MISSPELT
// MISSPELT: error: pass 'rdu-place' has no option 'move'; did you mean 'moves'?
// MISSPELT: note: try: samba-opt --help-pass rdu-place lists its options
// RUN: not samba-opt %s --pass-pipeline='rdu-place{moves=1.5}' 2>&1 | filecheck %s --check-prefix=TYPE
// TYPE: error: option 'moves' of pass 'rdu-place': expected an integer, got '1.5'
// RUN: not samba-opt %s --pass-pipeline='kernel-cut-sections{mode=o2}' 2>&1 | filecheck %s --check-prefix=ENUM
// ENUM: error: option 'mode' of pass 'kernel-cut-sections': expected one of o0, o1, o3, got 'o2'
// RUN: not samba-opt %s --pass-pipeline='samba-cse(' 2>&1 | filecheck %s --check-prefix=SYNTAX
// SYNTAX: <pass-pipeline>:1:11: error: expected ')'

func.func @f(%x: tensor<2x4xf32>, %w: tensor<3x4xf32>) -> tensor<2x3xf32> {
  %0 = samba.linear %x, %w : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}
