// CHECK-LABEL: func.func @leaving
// RUN: samba-opt --pass-pipeline='kernel-cut-sections{mode=o1}' %s | filecheck %s
// CHECK: kernel.section @leaving_0
// CHECK: kernel.move
// CHECK: kernel.section @leaving_1
// CHECK: kernel.move
// CHECK: kernel.move
// CHECK-NOT: kernel.section
// CHECK: func.return
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 1, chips = 1>} {
  func.func @leaving(%x: tensor<3x4096x4096xf32>) -> (tensor<4096x4096xf32>, tensor<4096x4096xf32>, tensor<4096x4096xf32>) {
    %0, %1, %2 = kernel.group "unbind" (%a = %x : tensor<3x4096x4096xf32>) -> (tensor<4096x4096xf32>, tensor<4096x4096xf32>, tensor<4096x4096xf32>) {
      %3 = kernel.move ins(%a : tensor<3x4096x4096xf32>) domain #kernel.domain<4096 parallel, 4096 parallel> maps [affine_map<(d0, d1) -> (0, d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] : tensor<4096x4096xf32>
      %4 = kernel.move ins(%a : tensor<3x4096x4096xf32>) domain #kernel.domain<4096 parallel, 4096 parallel> maps [affine_map<(d0, d1) -> (1, d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] : tensor<4096x4096xf32>
      %5 = kernel.move ins(%a : tensor<3x4096x4096xf32>) domain #kernel.domain<4096 parallel, 4096 parallel> maps [affine_map<(d0, d1) -> (2, d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] : tensor<4096x4096xf32>
      kernel.yield %3, %4, %5 : tensor<4096x4096xf32>, tensor<4096x4096xf32>, tensor<4096x4096xf32>
    }
    func.return %0, %1, %2 : tensor<4096x4096xf32>, tensor<4096x4096xf32>, tensor<4096x4096xf32>
  }
}
