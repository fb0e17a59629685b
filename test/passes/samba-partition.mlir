// RUN: samba-opt --pass-pipeline=samba-partition --split-input-file %s | filecheck %s

// A product split by its contracted dimension: f32 partial sums, one all-reduce in f32, the bias once, one rounding.
// CHECK-LABEL: @row
// CHECK-SAME: tensor<4x4xbf16>
// CHECK: %[[P:.*]] = samba.linear %x, %w : (tensor<3x4xbf16>, tensor<4x4xbf16>) -> tensor<3x4xf32>
// CHECK-NEXT: %[[S:.*]] = samba.all_reduce %[[P]] {chips = 2} : tensor<3x4xf32>
// CHECK-NEXT: %[[B:.*]] = samba.to %b {dtype = f32} : (tensor<4xbf16>) -> tensor<4xf32>
// CHECK-NEXT: %[[A:.*]] = samba.add %[[S]], %[[B]] : (tensor<3x4xf32>, tensor<4xf32>) -> tensor<3x4xf32>
// CHECK-NEXT: %[[R:.*]] = samba.to %[[A]] {dtype = bf16} : (tensor<3x4xf32>) -> tensor<3x4xbf16>
// CHECK-NEXT: func.return %[[R]]
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  func.func @row(%w: tensor<4x8xbf16> {samba.role = "param", samba.name = "w", samba.shard = #samba.shard<1, 1, 2>},
                 %b: tensor<4xbf16> {samba.role = "param", samba.name = "b"},
                 %x: tensor<3x8xbf16> {samba.name = "x", samba.shard = #samba.shard<1, 1, 2>}) -> tensor<3x4xbf16> {
    %0 = samba.linear %x, %w, %b : (tensor<3x8xbf16>, tensor<4x8xbf16>, tensor<4xbf16>) -> tensor<3x4xbf16>
    func.return %0 : tensor<3x4xbf16>
  }
}

// -----

// A split result of a graph is gathered; two users of one value share the gather.
// CHECK-LABEL: @column
// CHECK: %[[Y:.*]] = samba.linear {{.*}} -> tensor<3x4xf32>
// CHECK-NEXT: %[[G:.*]] = samba.all_gather %[[Y]] {dim = 1, chips = 2} : (tensor<3x4xf32>) -> tensor<3x8xf32>
// CHECK-NEXT: %[[L:.*]] = samba.softmax %[[G]]
// CHECK-NEXT: func.return %[[L]], %[[G]]
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  func.func @column(%w: tensor<8x4xf32> {samba.role = "param", samba.name = "w", samba.shard = #samba.shard<0, 1, 2>},
                    %x: tensor<3x4xf32> {samba.name = "x"}) -> (tensor<3x8xf32>, tensor<3x8xf32>) {
    %0 = samba.linear %x, %w : (tensor<3x4xf32>, tensor<8x4xf32>) -> tensor<3x8xf32>
    %1 = samba.softmax %0 {dim = 1} : tensor<3x8xf32>
    func.return %1, %0 : tensor<3x8xf32>, tensor<3x8xf32>
  }
}

// -----

// Parts of a fused dimension are gathered part by part, so that their order is that of the whole.
// CHECK-LABEL: @parts
// CHECK: %[[V:.*]] = samba.view %x {size = [3, 2, 2]} : (tensor<3x4xf32>) -> tensor<3x2x2xf32>
// CHECK-NEXT: %[[G:.*]] = samba.all_gather %[[V]] {dim = 2, chips = 2} : (tensor<3x2x2xf32>) -> tensor<3x2x4xf32>
// CHECK-NEXT: samba.view %[[G]] {size = [3, 8]} : (tensor<3x2x4xf32>) -> tensor<3x8xf32>
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  func.func @parts(%x: tensor<3x8xf32> {samba.name = "x", samba.shard = #samba.shard<1, 2, 2>}) -> tensor<3x8xf32> {
    func.return %x : tensor<3x8xf32>
  }
}

// -----

// Attention by head: attributes that hold sizes become the chip's, state stays split and its result says so.
// CHECK-LABEL: @heads
// CHECK-SAME: %c: tensor<1x1x5x4xf32>
// CHECK-SAME: -> (tensor<1x1x5x4xf32> {samba.tied = 0 : i64, samba.shard = #samba.shard<1, 1, 2>}, tensor<1x1x16xf32>)
// CHECK: samba.view %{{.*}} {size = [1, 1, 2, 4]} : (tensor<1x1x8xf32>) -> tensor<1x1x2x4xf32>
// CHECK: samba.scaled_dot_product_attention {{.*}} {enable_gqa = true} : (tensor<1x2x1x4xf32>, tensor<1x1x5x4xf32>, tensor<1x1x5x4xf32>) -> tensor<1x2x1x4xf32>
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  func.func @heads(%c: tensor<1x2x5x4xf32> {samba.role = "state", samba.name = "c", samba.shard = #samba.shard<1, 1, 2>},
                   %q: tensor<1x1x16xf32> {samba.name = "q", samba.shard = #samba.shard<2, 1, 2>},
                   %k: tensor<1x2x1x4xf32> {samba.name = "k", samba.shard = #samba.shard<1, 1, 2>},
                   %p: tensor<1xi64> {samba.name = "p"}) -> (tensor<1x2x5x4xf32> {samba.tied = 0 : i64}, tensor<1x1x16xf32>) {
    %0 = samba.view %q {size = [1, 1, -1, 4]} : (tensor<1x1x16xf32>) -> tensor<1x1x4x4xf32>
    %1 = samba.transpose %0 {dim0 = 1, dim1 = 2} : (tensor<1x1x4x4xf32>) -> tensor<1x4x1x4xf32>
    %2 = samba.index_copy %c, %p, %k {dim = 2} : (tensor<1x2x5x4xf32>, tensor<1xi64>, tensor<1x2x1x4xf32>) -> tensor<1x2x5x4xf32>
    %3 = samba.scaled_dot_product_attention %1, %2, %2 {enable_gqa = true} : (tensor<1x4x1x4xf32>, tensor<1x2x5x4xf32>, tensor<1x2x5x4xf32>) -> tensor<1x4x1x4xf32>
    %4 = samba.transpose %3 {dim0 = 1, dim1 = 2} : (tensor<1x4x1x4xf32>) -> tensor<1x1x4x4xf32>
    %5 = samba.view %4 {size = [1, 1, 16]} : (tensor<1x1x4x4xf32>) -> tensor<1x1x16xf32>
    func.return %2, %5 : tensor<1x2x5x4xf32>, tensor<1x1x16xf32>
  }
}

// -----

// Callees become local first; their results lie as they come, inside fused modules too.
// CHECK-LABEL: func.func private @up
// CHECK-SAME: -> tensor<3x4xf32>
// CHECK: samba.module "gemm"(%{{.*}} : tensor<3x4xf32>, %{{.*}} : tensor<4x4xf32>) -> (tensor<3x4xf32>)
// CHECK-LABEL: @caller
// CHECK: %[[U:.*]] = func.call @up(%w, %x) : (tensor<4x4xf32>, tensor<3x4xf32>) -> tensor<3x4xf32>
// CHECK-NEXT: samba.relu %[[U]] : tensor<3x4xf32>
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  func.func private @up(%w: tensor<8x4xf32> {samba.role = "param", samba.shard = #samba.shard<0, 1, 2>},
                        %x: tensor<3x4xf32>) -> tensor<3x8xf32> {
    %0 = samba.module "gemm"(%a = %x : tensor<3x4xf32>, %b = %w : tensor<8x4xf32>) -> (tensor<3x8xf32>) {
      %1 = samba.linear %a, %b : (tensor<3x4xf32>, tensor<8x4xf32>) -> tensor<3x8xf32>
      samba.yield %1 : tensor<3x8xf32>
    }
    func.return %0 : tensor<3x8xf32>
  }
  func.func @caller(%w: tensor<8x4xf32> {samba.role = "param", samba.name = "w", samba.shard = #samba.shard<0, 1, 2>},
                    %x: tensor<3x4xf32> {samba.name = "x"}) -> tensor<3x8xf32> {
    %0 = func.call @up(%w, %x) : (tensor<8x4xf32>, tensor<3x4xf32>) -> tensor<3x8xf32>
    %1 = samba.relu %0 : tensor<3x8xf32>
    func.return %1 : tensor<3x8xf32>
  }
}

// -----

// A product whose parts are summed over the chips keeps the wishes for it.
// CHECK-LABEL: @wishes
// CHECK: samba.linear {{.*}} {samba.hints = {n_shard_degree = 3 : i64}, decided_by = "user"} : (tensor<3x4xf32>, tensor<6x4xf32>) -> tensor<3x6xf32>
// CHECK: samba.all_reduce
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 2>} {
  func.func @wishes(%x: tensor<3x8xf32> {samba.name = "x", samba.shard = #samba.shard<1, 1, 2>}, %w: tensor<6x8xf32> {samba.role = "param", samba.name = "w", samba.shard = #samba.shard<1, 1, 2>}) -> (tensor<3x6xf32> {samba.name = "y"}) {
    %0 = samba.linear %x, %w {samba.hints = {n_shard_degree = 3 : i64}, decided_by = "user"} : (tensor<3x8xf32>, tensor<6x8xf32>) -> tensor<3x6xf32>
    func.return %0 : tensor<3x6xf32>
  }
}
