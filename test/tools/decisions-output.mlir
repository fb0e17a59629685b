// --decisions-output writes what every pass decided: where, the value, who decided it, and what was next best. What the
// text says without an origin is fixed; a lower level has other ops, so each row is as its pass left it.
// RUN: samba-opt --pass-pipeline=o1 --decisions-output=%t.json %s -o %t.mlir
// RUN: filecheck %s --check-prefix=ALL < %t.json
// RUN: samba-compile --mode o1 --decisions-output %t.compiled.json %s -o %t.pef
// RUN: filecheck %s --check-prefix=ALL < %t.compiled.json
// RUN: samba-opt --pass-pipeline=set-target,samba-shard --decisions-output=%t.fixed.json %s -o %t.mlir
// RUN: filecheck %s --check-prefix=FIXED < %t.fixed.json
// RUN: not samba-opt --decisions-output %t.none/d.json %s 2>&1 | filecheck %s --check-prefix=NONE
// RUN: not samba-opt --decisions-output %t.same -o %t.same %s 2>&1 | filecheck %s --check-prefix=SAME

// ALL:      "pass": "samba-fuse",
// ALL-NEXT: "kind": "rule",
// ALL-NEXT: "module_path": "",
// ALL-NEXT: "layers": null,
// ALL-NEXT: "op": "samba.module",
// ALL-NEXT: "function": "forward",
// ALL-NEXT: "value": "base_gemm",
// ALL-NEXT: "decided_by": "rule",
// ALL-NEXT: "is_fixed": false,
// ALL-NEXT: "next_best": null
// ALL:      "pass": "kernel-tile",
// ALL:      "pass": "rdu-schedule",
// ALL:      "value": "hardware",
// ALL-NEXT: "decided_by": "search",
// ALL-NEXT: "is_fixed": false,
// ALL-NEXT: "next_best": {
// ALL-NEXT: "value": "software",
// ALL-NEXT: "picoseconds": 15000000

// FIXED:      "pass": "samba-shard",
// FIXED-NEXT: "kind": "shard_1",
// FIXED:      "function": "forward",
// FIXED-NEXT: "value": "#samba.shard<0, 1, 1>",
// FIXED-NEXT: "decided_by": null,
// FIXED-NEXT: "is_fixed": true,

// NONE: d.json: error: No such file or directory
// SAME: the result (-o) and --decisions-output would be written to one file

func.func @forward(%x: tensor<2x4xf32> {samba.name = "x"}, %w: tensor<3x4xf32> {samba.role = "param", samba.name = "w", samba.shard = #samba.shard<0, 1, 1>}) -> (tensor<2x3xf32> {samba.name = "y"}) {
  %0 = samba.linear %x, %w : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
  func.return %0 : tensor<2x3xf32>
}
