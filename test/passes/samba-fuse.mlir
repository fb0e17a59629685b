// samba-fuse gathers the ops that a rule matches into one samba.module.
// RUN: samba-opt --pass-pipeline=samba-fuse %s | filecheck %s
// RUN: samba-opt --pass-pipeline=samba-fuse %s | samba-opt | filecheck %s
// RUN: samba-opt --pass-pipeline='samba-fuse{rules=%S/fixtures/llama2_self_attn_proj.yaml}' %s | filecheck %s --check-prefix=SEED
// RUN: samba-opt --pass-pipeline=samba-fuse --remarks %s 2>&1 | filecheck %s --check-prefix=REMARK
// RUN: not samba-opt --pass-pipeline='samba-fuse{rules=missing.yaml}' %s 2>&1 | filecheck %s --check-prefix=MISSING

// MISSING: missing.yaml: error: cannot read fusion rules: No such file or directory

// What others use too becomes an output; the value that only the group uses does not.
// CHECK-LABEL: @other_users
// CHECK: %[[A:.*]], %[[B:.*]] = samba.module "linear_activation"({{.*}}) heuristic = "SAFE_GEMM" attributes {{{.*}}} -> (tensor<2x3xf32>, tensor<2x3xf32>) {
// CHECK:   samba.linear
// CHECK:   samba.relu
// CHECK: return %[[A]], %[[B]]
func.func @other_users(%x: tensor<2x4xf32>, %w: tensor<3x4xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>) {
  %0 = samba.linear %x, %w : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
  %1 = samba.relu %0 : tensor<2x3xf32>
  return %0, %1 : tensor<2x3xf32>, tensor<2x3xf32>
}

// The projection and the RMS norm after it, with the casts of a bf16 model in between; the rule of the published slides,
// as it stands there, with its settings left on the linear.
// CHECK-LABEL: @projection
// CHECK:     samba.module "llama2_self_attn_proj"
// SEED-LABEL: @projection
// SEED:      %{{.*}}, %{{.*}} = samba.module "llama2_self_attn_proj"({{.*}}) heuristic = "SAFE_GEMM" attributes {{{.*}}} -> (tensor<2x4xbf16>, tensor<2x4xbf16>) {
// SEED-NEXT:   samba.linear {{.*}} {samba.hints = {k_shard_degree = 2 : i64, m_shard_degree = 4 : i64}, decided_by = "rule"}
// SEED-NEXT:   samba.add
// SEED-NEXT:   samba.to
// SEED-NEXT:   samba.pow
// SEED-NEXT:   samba.mean
// SEED-NEXT:   samba.add
// SEED-NEXT:   samba.rsqrt
// SEED-NEXT:   samba.mul
// SEED-NEXT:   samba.to
// SEED-NEXT:   samba.mul
// SEED-NEXT:   samba.yield
func.func @projection(%x: tensor<2x4xbf16>, %r: tensor<2x4xbf16>, %w: tensor<4x4xbf16>, %g: tensor<4xbf16>)
    -> (tensor<2x4xbf16>, tensor<2x4xbf16>) {
  %0 = samba.linear %x, %w : (tensor<2x4xbf16>, tensor<4x4xbf16>) -> tensor<2x4xbf16>
  %1 = samba.add %r, %0 : (tensor<2x4xbf16>, tensor<2x4xbf16>) -> tensor<2x4xbf16>
  %2 = samba.to %1 {dtype = f32} : (tensor<2x4xbf16>) -> tensor<2x4xf32>
  %3 = samba.pow %2 {exponent = 2} : tensor<2x4xf32>
  %4 = samba.mean %3 {dim = [-1], keepdim = true} : (tensor<2x4xf32>) -> tensor<2x1xf32>
  %5 = samba.add %4 {other = 1.0e-06} : tensor<2x1xf32>
  %6 = samba.rsqrt %5 : tensor<2x1xf32>
  %7 = samba.mul %2, %6 : (tensor<2x4xf32>, tensor<2x1xf32>) -> tensor<2x4xf32>
  %8 = samba.to %7 {dtype = bf16} : (tensor<2x4xf32>) -> tensor<2x4xbf16>
  %9 = samba.mul %g, %8 : (tensor<4xbf16>, tensor<2x4xbf16>) -> tensor<2x4xbf16>
  return %1, %9 : tensor<2x4xbf16>, tensor<2x4xbf16>
}

// A path that leaves the group and comes back refuses it: the softmax is no part of the rule, so smaller rules get the ops.
// CHECK-LABEL: @not_convex
// CHECK:      samba.module "linear_activation"
// CHECK:      samba.softmax
// CHECK-NOT:  llama2_ffn
// CHECK:      return
// REMARK: samba-fuse.mlir:{{[0-9]+}}:8: remark: [samba-fuse] missed: rule 'llama2_ffn': samba.softmax lies on a path
// REMARK-SAME: that leaves the group and comes back (matched = 6, of = 6)
func.func @not_convex(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %0 = samba.linear %x, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %1 = samba.silu %0 : tensor<4x4xf32>
  %2 = samba.softmax %0 {dim = -1} : tensor<4x4xf32>
  %3 = samba.linear %2, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %4 = samba.mul %1, %3 : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %5 = samba.linear %4, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %6 = samba.add %5, %x : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  return %6 : tensor<4x4xf32>
}

// Two groups may not wait for each other. Each projection alone would do, but its sum needs the softmax of the other's
// product: the first gets its module, the second does not, and the softmax that the first waits for goes before it.
// CHECK-LABEL: @no_cycle
// CHECK:      %[[B:.*]] = samba.module "base_gemm"
// CHECK:      %[[SB:.*]] = samba.softmax %[[B]]
// CHECK:      %[[A:.*]], %[[A2:.*]] = samba.module "transformer_proj"(
// CHECK-SAME: = %[[SB]] :
// CHECK:      %[[SA:.*]] = samba.softmax %[[A]]
// CHECK:      samba.add %[[B]], %[[SA]]
func.func @no_cycle(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  %a = samba.linear %x, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %sa = samba.softmax %a {dim = -1} : tensor<4x4xf32>
  %b = samba.linear %w, %x : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %sb = samba.softmax %b {dim = -1} : tensor<4x4xf32>
  %a2 = samba.add %a, %sb : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %b2 = samba.add %b, %sa : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  return %a2, %b2 : tensor<4x4xf32>, tensor<4x4xf32>
}

// Views, casts and constants beside a group join it where the fewest bytes cross its border: a slice the module that makes
// its operand, an expand the one that uses it.
// CHECK-LABEL: @riders
// CHECK:      %{{.*}} = samba.module "base_gemm"({{.*}}) heuristic = "SAFE_GEMM" attributes {{{.*}}} -> (tensor<1x4xf32>) {
// CHECK:        samba.slice
// CHECK:      samba.module "base_gemm"
// CHECK:        samba.expand
func.func @riders(%x: tensor<4x4xf32>, %w: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %0 = samba.linear %x, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  %1 = samba.slice %0 {dim = 0, start = 0, end = 1} : (tensor<4x4xf32>) -> tensor<1x4xf32>
  %2 = samba.expand %1 {size = [4, 4]} : (tensor<1x4xf32>) -> tensor<4x4xf32>
  %3 = samba.linear %2, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>
  return %3 : tensor<4x4xf32>
}
