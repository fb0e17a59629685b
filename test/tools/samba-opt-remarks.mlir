// --remarks prints what passes did, did not do and found out, each at its place; with names or regular expressions of
// passes, only theirs. Without it nothing is printed.
// RUN: samba-opt --pass-pipeline=o1 --remarks %s 2>&1 >/dev/null | filecheck %s --check-prefix=ALL
// RUN: samba-opt --pass-pipeline=o1 --remarks=samba-fuse,kernel-balance %s 2>&1 >/dev/null | filecheck %s --check-prefix=TWO
// RUN: samba-opt --pass-pipeline=o1 --remarks='rdu-.*' %s 2>&1 >/dev/null | filecheck %s --check-prefix=RDU
// RUN: samba-opt --pass-pipeline=o1 %s 2>&1 >/dev/null | not grep .
// RUN: not samba-opt --remarks='(' %s 2>&1 | filecheck %s --check-prefix=USAGE
// RUN: samba-opt --pass-pipeline=samba-fuse --remarks --diagnostics-format=json %s 2>&1 >/dev/null | filecheck %s --check-prefix=JSON
// RUN: samba-compile --mode o1 --remarks=samba-fuse %s -o %t.pef 2>&1 | filecheck %s --check-prefix=TWO

// ALL: samba-opt-remarks.mlir:24:8: remark: [samba-fuse] applied: rule 'base_gemm' made a module (ops = 1)
// ALL-NEXT: %0 = samba.linear
// ALL-NEXT: {{^}}       ^~~~~~~~~~~~
// ALL: remark: [rdu-place] analysis:
// TWO-NOT: remark: [rdu
// TWO: remark: [samba-fuse] applied: rule 'base_gemm' made a module (ops = 1)
// TWO-NOT: remark: [rdu
// RDU-NOT: remark: [{{samba|kernel}}
// RDU: remark: [rdu-place] analysis: wire length in hops
// USAGE: argument --remarks: '(' names no passes:
// JSON: {"severity": "remark", "message": "[samba-fuse] applied: rule 'base_gemm' made a module (ops = 1)", "op": "samba.module", {{.*}}"line": 24, {{.*}}"facts": {"ops": 1}

func.func @forward(%x: tensor<2x4xf32> {samba.name = "x"}, %w: tensor<3x4xf32> {samba.role = "param", samba.name = "w"}) -> (tensor<2x3xf32> {samba.name = "y"}) {
  %0 = samba.linear %x, %w : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
  func.return %0 : tensor<2x3xf32>
}
