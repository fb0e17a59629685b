// RUN: samba-opt --pass-pipeline='kernel-cut-sections{mode=o0}' %s | filecheck %s --check-prefixes=ANY,O0
// RUN: samba-opt --pass-pipeline='kernel-cut-sections{mode=o1}' %s | filecheck %s --check-prefixes=ANY,O1
// RUN: samba-opt --pass-pipeline='kernel-cut-sections{mode=o3}' %s | filecheck %s --check-prefixes=ANY,O3

#row = affine_map<(d0, d1) -> (d0, d1)>
#col = affine_map<(d0, d1) -> (d1, d0)>

builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {

  // o0 has a section for each operator, o1 one for the group (and says from which rule it came), o3 one for both.
  // The transposition is no operator of its own: it goes with its reader.
  // ANY-LABEL: func.func @chain
  // O0: kernel.section @chain_0 (
  // O0-NEXT: kernel.map
  // O0: kernel.section @chain_1 (
  // O0-NEXT: kernel.map
  // O0: kernel.section @chain_2 (
  // O0-NEXT: kernel.move
  // O0-NEXT: kernel.map
  // O0-NOT: kernel.section
  // O1: kernel.section @chain_0 ({{.*}}) attributes {module = "pair", decided_by = "search"}
  // O1-NEXT: kernel.map
  // O1: kernel.map
  // O1: kernel.section @chain_1 (
  // O1-NEXT: kernel.move
  // O1-NEXT: kernel.map
  // O1-NOT: kernel.section
  // O3: kernel.section @chain_0 (
  // O3: kernel.map
  // O3: kernel.map
  // O3: kernel.move
  // O3-NEXT: kernel.map
  // O3-NOT: kernel.section
  // ANY-LABEL: func.func @calls
  func.func @chain(%x: tensor<64x32xf32>) -> tensor<32x64xf32> {
    %0 = kernel.group "pair" (%a = %x : tensor<64x32xf32>) -> (tensor<64x32xf32>) {
      %1 = kernel.map ins(%a : tensor<64x32xf32>) domain #kernel.domain<64 parallel, 32 parallel> maps [#row, #row] body {
      ^bb0(%e: f32):
        %f = math.exp %e : f32
        kernel.yield %f : f32
      } : tensor<64x32xf32>
      %2 = kernel.map ins(%1 : tensor<64x32xf32>) domain #kernel.domain<64 parallel, 32 parallel> maps [#row, #row] body {
      ^bb0(%e: f32):
        %f = arith.negf %e : f32
        kernel.yield %f : f32
      } : tensor<64x32xf32>
      kernel.yield %2 : tensor<64x32xf32>
    }
    %3 = kernel.move ins(%0 : tensor<64x32xf32>) domain #kernel.domain<32 parallel, 64 parallel> maps [#col, #row] : tensor<32x64xf32>
    %4 = kernel.map ins(%3 : tensor<32x64xf32>) domain #kernel.domain<32 parallel, 64 parallel> maps [#row, #row] body {
    ^bb0(%e: f32):
      %f = math.tanh %e : f32
      kernel.yield %f : f32
    } : tensor<32x64xf32>
    func.return %4 : tensor<32x64xf32>
  }

  // A call is a cut point in every mode, and the function that is called is cut once.
  // ANY: kernel.section @calls_0
  // ANY: func.call @layer
  // ANY-NEXT: func.call @layer
  // ANY: kernel.section @calls_1
  // ANY: func.func private @layer
  // ANY-NEXT: kernel.section @layer_0
  func.func @calls(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.map ins(%x : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] body {
    ^bb0(%e: f32):
      %f = math.exp %e : f32
      kernel.yield %f : f32
    } : tensor<8xf32>
    %1 = func.call @layer(%0) : (tensor<8xf32>) -> tensor<8xf32>
    %2 = func.call @layer(%1) : (tensor<8xf32>) -> tensor<8xf32>
    %3 = kernel.map ins(%2 : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] body {
    ^bb0(%e: f32):
      %f = arith.negf %e : f32
      kernel.yield %f : f32
    } : tensor<8xf32>
    func.return %3 : tensor<8xf32>
  }
  func.func private @layer(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.map ins(%x : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] body {
    ^bb0(%e: f32):
      %f = math.tanh %e : f32
      kernel.yield %f : f32
    } : tensor<8xf32>
    func.return %0 : tensor<8xf32>
  }
}
