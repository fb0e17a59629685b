// --remarks-output writes all remarks: as LLVM's optimization records (.yaml), or as a JSON list (.json).
// RUN: samba-opt --pass-pipeline=samba-fuse --remarks-output %t.opt.yaml %s 2>&1 >/dev/null | not grep .
// RUN: filecheck %s --check-prefix=YAML < %t.opt.yaml
// RUN: samba-opt --pass-pipeline=samba-fuse --remarks-output=%t.json --remarks=kernel-tile %s -o %t.mlir
// RUN: filecheck %s --check-prefix=JSON < %t.json
// RUN: samba-compile --mode o1 --remarks-output %t.compile.yaml %s -o %t.pef
// RUN: filecheck %s --check-prefix=YAML < %t.compile.yaml
// RUN: not samba-opt --remarks-output %t.txt %s 2>&1 | filecheck %s --check-prefix=USAGE
// RUN: not samba-opt --remarks-output %t.none/r.yaml %s 2>&1 | filecheck %s --check-prefix=NONE

// YAML:      --- !Passed
// YAML-NEXT: Pass:            'samba-fuse'
// YAML-NEXT: Name:            'RuleMadeAModule'
// YAML-NEXT: DebugLoc:        { File: '{{.*}}samba-opt-remarks-output.mlir', Line: 32, Column: 8 }
// YAML-NEXT: Function:        'forward'
// YAML-NEXT: Args:
// YAML-NEXT:   - Op:              'samba.module'
// YAML-NEXT:   - String:          ': '
// YAML-NEXT:   - String:          'rule ''base_gemm'' made a module'
// YAML-NEXT:   - String:          ' (ops = '
// YAML-NEXT:   - ops:             '1'
// YAML-NEXT:   - String:          ')'
// YAML-NEXT: ...
// JSON: "kind": "applied",
// JSON-NEXT: "pass": "samba-fuse",
// JSON-NEXT: "message": "rule 'base_gemm' made a module",
// JSON: "function": "forward",
// USAGE: .txt' does not end with one of .json, .yaml, .yml
// NONE: r.yaml: error: No such file or directory

func.func @forward(%x: tensor<2x4xf32> {samba.name = "x"}, %w: tensor<3x4xf32> {samba.role = "param", samba.name = "w"}) -> (tensor<2x3xf32> {samba.name = "y"}) {
  %0 = samba.linear %x, %w : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
  func.return %0 : tensor<2x3xf32>
}
