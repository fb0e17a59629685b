// RUN: samba-opt %s | samba-opt | filecheck %s
// RUN: samba-opt --print-op-generic %s | samba-opt | filecheck %s

// Sections and groups name what they read; loads, stores and buffers stand on the edges of their stages. A load after a store of
// the same tensor takes its token. What passes have decided stands in braces.
// CHECK: %g = kernel.group "mlp" (%a = %x : tensor<4xf32>) -> (tensor<4xf32>) {
// CHECK: %s = kernel.section @s0 (%b = %g : tensor<4xf32>) -> (tensor<4xf32>) attributes {module = "mlp"} {
// CHECK: %r, %t = kernel.store %v to %b : tensor<4xf32>
// CHECK: %w = kernel.load %b after %t {agcus = 2 : i64, tile = array<i64: 1>} : tensor<4xf32>
// CHECK: kernel.buffer %w {depth = 2 : i64, tokens = 4 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64} : tensor<4xf32>
// CHECK: kernel.store %u {agcus = 1 : i64, tile = array<i64: 4>, depth = 2 : i64} : tensor<4xf32>
func.func @edges(%x: tensor<4xf32>) -> tensor<4xf32> {
  %g = kernel.group "mlp" (%a = %x : tensor<4xf32>) -> (tensor<4xf32>) {
    kernel.yield %a : tensor<4xf32>
  }
  %s = kernel.section @s0 (%b = %g : tensor<4xf32>) -> (tensor<4xf32>) attributes {module = "mlp"} {
    %v = kernel.load %b : tensor<4xf32>
    %r, %t = kernel.store %v to %b : tensor<4xf32>
    %w = kernel.load %b after %t {agcus = 2 : i64, tile = array<i64: 1>} : tensor<4xf32>
    %u = kernel.buffer %w {depth = 2 : i64, tokens = 4 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64} : tensor<4xf32>
    %out, %done = kernel.store %u {agcus = 1 : i64, tile = array<i64: 4>, depth = 2 : i64} : tensor<4xf32>
    kernel.yield %out : tensor<4xf32>
  }
  func.return %s : tensor<4xf32>
}
