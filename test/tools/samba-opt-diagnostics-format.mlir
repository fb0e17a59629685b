// --diagnostics-format=json: an object a line on standard error, with the facts and notes as fields.
// RUN: not samba-opt --diagnostics-format=json --pass-pipeline=kernel-cut-sections %s 2>&1 | filecheck %s
// RUN: not samba-opt --diagnostics-format=text --pass-pipeline=kernel-cut-sections %s 2>&1 | filecheck %s --check-prefix=TEXT
// RUN: samba-opt --diagnostics-format=json --remarks --pass-pipeline=samba-fuse --verify-diagnostics=only-expected %s
// RUN: not samba-run --diagnostics-format=json %s 2>&1 | filecheck %s --check-prefix=RUN-JSON
// RUN: not samba-translate --diagnostics-format=json --from-pef %s 2>&1 | filecheck %s --check-prefix=RUN-JSON

// CHECK: {"severity": "error", "message": "does not fit the machine", "op": "kernel.reduce",
// CHECK-SAME: "file": "{{.*}}samba-opt-diagnostics-format.mlir", "line": 19, "column": 10, "module_path": "",
// CHECK-SAME: "facts": {"demand": "2048 PMUs", "limit": "260 PMUs", "shortfall": "1788 PMUs", "levers": ["use smaller tiles
// TEXT: :19:10: error: 'kernel.reduce' op does not fit the machine
// TEXT: note: needs 2048 PMUs, has 260 PMUs, short by 1788 PMUs
// TEXT-NEXT: note: try: use smaller tiles
// TEXT-NOT: 2048 PMUs
// RUN-JSON: {"severity": "error", "message": "is no ELF file

builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 1, chips = 1>} {
  func.func @wide(%x: tensor<1x268435456xf32>) -> tensor<1xf32> {
    %0 = kernel.reduce ins(%x : tensor<1x268435456xf32>) domain #kernel.domain<1 parallel, 268435456 reduction> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0)>] inits [0.0 : f32] body {
    ^bb0(%a: f32, %acc: f32):
      %n = arith.addf %acc, %a : f32
      kernel.yield %n : f32
    } combine {
    ^bb0(%p: f32, %q: f32):
      %merged = arith.addf %p, %q : f32
      kernel.yield %merged : f32
    } : tensor<1xf32>
    func.return %0 : tensor<1xf32>
  }
}
