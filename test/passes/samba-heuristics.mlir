// samba-heuristics names a heuristic on every module and leaves its hints; a rule's own settings stay, and what the rule does
// not set is the heuristic's.
// RUN: samba-opt --pass-pipeline=samba-heuristics --verify-diagnostics --split-input-file %s | filecheck %s

// CHECK: samba.module "named"({{.*}}) heuristic = "GPT2_QKV"
// CHECK:   samba.linear {{.*}} {samba.hints = {k_shard_degree = 2 : i64, shard_first = "n", stationary = "input"}, decided_by = {shard_first = "heuristic", stationary = "heuristic"}}
// CHECK: samba.module "by_rule"({{.*}}) heuristic = "SAFE_GEMM"
// CHECK:   samba.linear {{.*}} {samba.hints = {k_shard_degree = 1 : i64, n_shard_degree = 4 : i64, shard_first = "n", stationary = "input"}, decided_by = {k_shard_degree = "heuristic", n_shard_degree = "rule", shard_first = "heuristic", stationary = "heuristic"}}
// CHECK: samba.module "by_content"({{.*}}) heuristic = "SAFE_GEMM"
// CHECK: samba.module "attention"({{.*}}) heuristic = "MHA"
// CHECK:   samba.softmax %{{.*}} {dim = -1} :
// CHECK: samba.module "rest"({{.*}}) heuristic = "DEFAULT" attributes {decided_by = {heuristic = "heuristic"}} ->
func.func @f(%x: tensor<2x4xf32>, %w: tensor<3x4xf32>) -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x4xf32>, tensor<2x4xf32>) {
  %0 = samba.module "named"(%a = %x : tensor<2x4xf32>, %b = %w : tensor<3x4xf32>) heuristic = "GPT2_QKV" -> (tensor<2x3xf32>) {
    %1 = samba.linear %a, %b {samba.hints = {k_shard_degree = 2 : i64}} : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
    samba.yield %1 : tensor<2x3xf32>
  }
  %5 = samba.module "by_rule"(%a = %x : tensor<2x4xf32>, %b = %w : tensor<3x4xf32>) heuristic = "SAFE_GEMM" -> (tensor<2x3xf32>) {
    %1 = samba.linear %a, %b {samba.hints = {n_shard_degree = 4 : i64}, decided_by = "rule"} : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
    samba.yield %1 : tensor<2x3xf32>
  }
  %2 = samba.module "by_content"(%a = %x : tensor<2x4xf32>, %b = %w : tensor<3x4xf32>) -> (tensor<2x3xf32>) {
    %1 = samba.linear %a, %b : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
    samba.yield %1 : tensor<2x3xf32>
  }
  %3 = samba.module "attention"(%a = %x : tensor<2x4xf32>) -> (tensor<2x4xf32>) {
    %1 = samba.softmax %a {dim = -1} : tensor<2x4xf32>
    samba.yield %1 : tensor<2x4xf32>
  }
  %4 = samba.module "rest"(%a = %x : tensor<2x4xf32>) -> (tensor<2x4xf32>) {
    %1 = samba.relu %a : tensor<2x4xf32>
    samba.yield %1 : tensor<2x4xf32>
  }
  return %0, %2, %3, %4 : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x4xf32>, tensor<2x4xf32>
}

// -----

func.func @unknown(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  // expected-error@+1 {{names an unknown heuristic 'SAVE_GEMM'; did you mean 'SAFE_GEMM'?}}
  %0 = samba.module "m"(%a = %x : tensor<2x4xf32>) heuristic = "SAVE_GEMM" -> (tensor<2x4xf32>) {
    %1 = samba.relu %a : tensor<2x4xf32>
    samba.yield %1 : tensor<2x4xf32>
  }
  return %0 : tensor<2x4xf32>
}

// -----

func.func @parameter(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  // expected-error@+1 {{heuristic SAFE_GEMM has no parameter 'tp_dims'; did you mean 'tp_dim'?}}
  %0 = samba.module "m"(%a = %x : tensor<2x4xf32>) heuristic = "SAFE_GEMM"
      attributes {samba.heuristic_parameters = {tp_dims = "n"}} -> (tensor<2x4xf32>) {
    %1 = samba.relu %a : tensor<2x4xf32>
    samba.yield %1 : tensor<2x4xf32>
  }
  return %0 : tensor<2x4xf32>
}

// -----

// What chips divide is left to samba-shard.
func.func @tensor_parallel(%x: tensor<2x4xf32>, %w: tensor<3x4xf32>) -> tensor<2x3xf32> {
  // expected-error@below {{asks for tp_dim = 0; only Auto is supported}}
  %0 = samba.module "gemm"(%a = %x : tensor<2x4xf32>, %b = %w : tensor<3x4xf32>) heuristic = "SAFE_GEMM" attributes {samba.heuristic_parameters = {tp_dim = 0 : i64}} -> (tensor<2x3xf32>) {
    %1 = samba.linear %a, %b : (tensor<2x4xf32>, tensor<3x4xf32>) -> tensor<2x3xf32>
    samba.yield %1 : tensor<2x3xf32>
  }
  func.return %0 : tensor<2x3xf32>
}
