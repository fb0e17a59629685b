// What a fusion rule sets on an operator binds the planner: four PCUs along m, k split over two PCUs and its sums merged
// as a tree. A degree that does not divide k is refused with a remark.
// RUN: samba-opt --pass-pipeline=o1 %s | filecheck %s
// RUN: samba-opt --pass-pipeline=o1 --remarks %s 2>&1 >/dev/null | filecheck %s --check-prefix=REFUSED

// CHECK: rdu.pcu({{.*}}) {{{.*}}mode = "systolic", domain = array<i64: 32, 64, 256>
// CHECK-SAME: par = array<i64: 4, {{[0-9]+}}, 2>, split = array<i64: 1, 1, 2>
// CHECK: rdu.pcu({{.*}}) {{{.*}}mode = "systolic", domain = array<i64: 32, 64, 64>
// CHECK-SAME: split = array<i64: 1, 1, 1>
// REFUSED: [convert-samba-to-kernel] missed: k_shard_degree 3 does not divide k = 64
func.func public @forward(%w: tensor<64x256xbf16>, %v: tensor<64x64xbf16>, %x: tensor<32x256xbf16>) -> tensor<32x64xbf16> {
  %0 = samba.linear %x, %w {samba.hints = {k_shard_degree = 2 : i64, m_shard_degree = 4 : i64}}
    : (tensor<32x256xbf16>, tensor<64x256xbf16>) -> tensor<32x64xbf16>
  %1 = samba.linear %0, %v {samba.hints = {k_shard_degree = 3 : i64}}
    : (tensor<32x64xbf16>, tensor<64x64xbf16>) -> tensor<32x64xbf16>
  func.return %1 : tensor<32x64xbf16>
}
