// RUN: samba-opt --pass-pipeline=kernel-cut-sections %s | filecheck %s
// RUN: samba-opt --pass-pipeline=kernel-cut-sections,kernel-cut-sections %s | filecheck %s

#id = affine_map<(d0) -> (d0)>

builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {

  // A section that stands there is kept as it is: what is in front of it and behind it is cut by itself, under names
  // that are not taken. Cutting once more changes nothing.
  // CHECK-LABEL: func.func @f
  // CHECK: %[[first:.*]] = kernel.section @f_1 (
  // CHECK: math.exp
  // CHECK: %[[kept:.*]] = kernel.section @f_0 ({{.*}} = %[[first]]
  // CHECK: arith.negf
  // CHECK: kernel.section @f_2 ({{.*}} = %[[kept]]
  // CHECK: math.tanh
  // CHECK-NOT: kernel.section
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.map ins(%x : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [#id, #id] body {
    ^bb0(%e: f32):
      %f = math.exp %e : f32
      kernel.yield %f : f32
    } : tensor<8xf32>
    %s = kernel.section @f_0 (%a = %0 : tensor<8xf32>) -> (tensor<8xf32>) {
      %1 = kernel.map ins(%a : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [#id, #id] body {
      ^bb0(%e: f32):
        %f = arith.negf %e : f32
        kernel.yield %f : f32
      } : tensor<8xf32>
      kernel.yield %1 : tensor<8xf32>
    }
    %2 = kernel.map ins(%s : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [#id, #id] body {
    ^bb0(%e: f32):
      %f = math.tanh %e : f32
      kernel.yield %f : f32
    } : tensor<8xf32>
    func.return %2 : tensor<8xf32>
  }
}
