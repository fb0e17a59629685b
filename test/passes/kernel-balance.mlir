// RUN: samba-opt --pass-pipeline='kernel-balance' %s --split-input-file --verify-diagnostics | filecheck %s

// Two stages share the machine so that both take as long: 32 elements are 4 cycles in the tail for four exponentials, and
// 2 cycles through a port of 64 bytes for the addition, so the first gets twice the PCUs. Tiles and orders stay.
// CHECK-LABEL: kernel.section @s
// CHECK: kernel.map {{.*}} mapping #kernel.mapping<tile = [64, 1024], par = [1, 512], order = [0, 1], hold = [1]>
// CHECK: kernel.map {{.*}} mapping #kernel.mapping<tile = [64, 1024], par = [1, 256], order = [0, 1], hold = [1]>
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<1024x1024xf32>) -> tensor<1024x1024xf32> {
    %0 = kernel.section @s (%a = %x : tensor<1024x1024xf32>) -> (tensor<1024x1024xf32>) {
      %1 = kernel.map ins(%a : tensor<1024x1024xf32>) domain #kernel.domain<1024 parallel, 1024 parallel> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] mapping #kernel.mapping<tile = [64, 1024], order = [0, 1], hold = [1]> body {
      ^bb0(%e: f32):
        %n0 = math.exp %e : f32
        %n1 = math.exp %n0 : f32
        %n2 = math.exp %n1 : f32
        %n3 = math.exp %n2 : f32
        kernel.yield %n3 : f32
      } : tensor<1024x1024xf32>
      %2 = kernel.map ins(%1 : tensor<1024x1024xf32>) domain #kernel.domain<1024 parallel, 1024 parallel> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] mapping #kernel.mapping<tile = [64, 1024], order = [0, 1], hold = [1]> body {
      ^bb0(%e: f32):
        %n = arith.addf %e, %e : f32
        kernel.yield %n : f32
      } : tensor<1024x1024xf32>
      kernel.yield %2 : tensor<1024x1024xf32>
    }
    func.return %0 : tensor<1024x1024xf32>
  }
}

// -----

// Balancing needs tiles.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.section @s (%a = %x : tensor<8xf32>) -> (tensor<8xf32>) {
      // expected-error@below {{has no mapping}}
      // expected-note@below {{try: run kernel-tile first}}
      %1 = kernel.map ins(%a : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] body {
      ^bb0(%e: f32):
        %n = arith.negf %e : f32
        kernel.yield %n : f32
      } : tensor<8xf32>
      kernel.yield %1 : tensor<8xf32>
    }
    func.return %0 : tensor<8xf32>
  }
}

// -----

// Every stage that is planned has a mapping; a move that is no access pattern of its reader is one.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<24xf32>) -> tensor<8xf32> {
    %0 = kernel.section @s (%a = %x : tensor<24xf32>) -> (tensor<8xf32>) {
      // expected-error@below {{has no mapping}}
      // expected-note@below {{try: run kernel-tile first}}
      %1 = kernel.move ins(%a, %a : tensor<24xf32>, tensor<24xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0 + 20)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] : tensor<8xf32>
      kernel.yield %1 : tensor<8xf32>
    }
    func.return %0 : tensor<8xf32>
  }
}

// -----

// A stage without one is not balanced.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.section @s (%a = %x : tensor<8xf32>) -> (tensor<8xf32>) {
      // expected-error@below {{has no mapping: kernel-balance needs that stages of sections have mappings}}
      // expected-note@below {{try: run kernel-tile first}}
      %1 = kernel.map ins(%a : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] body {
      ^bb0(%e: f32):
        %n = arith.negf %e : f32
        kernel.yield %n : f32
      } : tensor<8xf32>
      kernel.yield %1 : tensor<8xf32>
    }
    func.return %0 : tensor<8xf32>
  }
}
