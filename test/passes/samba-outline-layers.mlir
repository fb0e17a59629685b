// samba-outline-layers folds layers of equal structure into one private function and calls.
// RUN: samba-opt --pass-pipeline='samba-outline-layers{min_ops=3}' --split-input-file %s | filecheck %s
// RUN: samba-opt --pass-pipeline='samba-outline-layers{min_ops=3}' --split-input-file %s | samba-opt --split-input-file | filecheck %s
// RUN: samba-opt --pass-pipeline='samba-outline-layers' --split-input-file %s | filecheck %s --check-prefix=LONG
// RUN: samba-opt --pass-pipeline='samba-outline-layers{min_ops=3}' --remarks --split-input-file %s 2>&1 | filecheck %s --check-prefix=REMARK

// Periods of less than eight ops stay, if not asked for.
// LONG-NOT: func.call

// Parameters and state become arguments with their role, the mask that all layers use is passed to each call, and a result
// that the graph ties to a state is tied in the layer too. Names lose the number of the layer.
// CHECK-LABEL: func.func public @decode
// CHECK-NEXT:    %[[K0:.*]], %[[Y0:.*]] = func.call @layer_0(%x, %h0_w, %m, %h0_cache)
// CHECK-NEXT:    %[[K1:.*]], %[[Y1:.*]] = func.call @layer_0(%[[Y0]], %h1_w, %m, %h1_cache)
// CHECK-NEXT:    %[[K2:.*]], %[[Y2:.*]] = func.call @layer_0(%[[Y1]], %h2_w, %m, %h2_cache)
// CHECK-NEXT:    func.return %[[Y2]], %[[K0]], %[[K1]], %[[K2]]
// CHECK:       func.func private @layer_0(%{{.*}}: tensor<2x2xf32>, %h_w: tensor<2x2xf32> {samba.role = "param"},
// CHECK-SAME:    %m: tensor<2x2xf32>, %h_cache: tensor<2x2xf32> {samba.role = "state"})
// CHECK-SAME:    -> (tensor<2x2xf32> {samba.tied = 3 : i64}, tensor<2x2xf32>) {
// CHECK-NEXT:    samba.linear
// CHECK-NEXT:    samba.add {{.*}}, %m
// CHECK-NEXT:    samba.maximum %h_cache
// CHECK-NEXT:    samba.sub
// CHECK-NEXT:    func.return
// REMARK:      remark: [samba-outline-layers] applied: folded 3 layers into @layer_0 (ops = 4)
func.func public @decode(
    %x: tensor<2x2xf32>, %m: tensor<2x2xf32>,
    %h0_w: tensor<2x2xf32> {samba.role = "param", samba.name = "w.0"}, %h1_w: tensor<2x2xf32> {samba.role = "param", samba.name = "w.1"},
    %h2_w: tensor<2x2xf32> {samba.role = "param", samba.name = "w.2"},
    %h0_cache: tensor<2x2xf32> {samba.role = "state", samba.name = "c.0"}, %h1_cache: tensor<2x2xf32> {samba.role = "state", samba.name = "c.1"},
    %h2_cache: tensor<2x2xf32> {samba.role = "state", samba.name = "c.2"})
    -> (tensor<2x2xf32>, tensor<2x2xf32> {samba.tied = 5 : i64}, tensor<2x2xf32> {samba.tied = 6 : i64}, tensor<2x2xf32> {samba.tied = 7 : i64}) {
  %a0 = samba.linear %x, %h0_w : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %b0 = samba.add %a0, %m : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %c0 = samba.maximum %h0_cache, %b0 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %y0 = samba.sub %c0, %x : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %a1 = samba.linear %y0, %h1_w : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %b1 = samba.add %a1, %m : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %c1 = samba.maximum %h1_cache, %b1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %y1 = samba.sub %c1, %y0 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %a2 = samba.linear %y1, %h2_w : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %b2 = samba.add %a2, %m : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %c2 = samba.maximum %h2_cache, %b2 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %y2 = samba.sub %c2, %y1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y2, %c0, %c1, %c2 : tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>
}

// -----

// What the layers share stands in the first only: it goes before it, and all layers fold.
// CHECK-LABEL: func.func @shared
// CHECK-NEXT:    %[[M:.*]] = samba.unsqueeze %m
// CHECK-NEXT:    func.call @layer_0(%x, %w0, %[[M]])
// CHECK-NEXT:    func.call @layer_0(%{{.*}}, %w1, %[[M]])
// CHECK-NEXT:    func.return
func.func @shared(%x: tensor<2x2xf32>, %m: tensor<2xf32>, %w0: tensor<2x2xf32>, %w1: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %a0 = samba.linear %x, %w0 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %s = samba.unsqueeze %m {dim = 0} : (tensor<2xf32>) -> tensor<1x2xf32>
  %b0 = samba.mul %a0, %s : (tensor<2x2xf32>, tensor<1x2xf32>) -> tensor<2x2xf32>
  %y0 = samba.add %b0, %x : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %a1 = samba.linear %y0, %w1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %b1 = samba.mul %a1, %s : (tensor<2x2xf32>, tensor<1x2xf32>) -> tensor<2x2xf32>
  %y1 = samba.add %b1, %y0 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y1 : tensor<2x2xf32>
}

// -----

// A period may be longer than a layer: here every second one has another activation.
// CHECK-LABEL: func.func @alternating
// CHECK-COUNT-2: func.call @layer_0
// CHECK:         func.func private @layer_0
// CHECK:           samba.relu
// CHECK:           samba.tanh
func.func @alternating(%x: tensor<2x2xf32>, %w: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %0 = samba.linear %x, %w : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %1 = samba.relu %0 : tensor<2x2xf32>
  %2 = samba.linear %1, %w : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %3 = samba.tanh %2 : tensor<2x2xf32>
  %4 = samba.linear %3, %w : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %5 = samba.relu %4 : tensor<2x2xf32>
  %6 = samba.linear %5, %w : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %7 = samba.tanh %6 : tensor<2x2xf32>
  return %7 : tensor<2x2xf32>
}

// -----

// Ops that differ in an attribute (here a constraint) are not equal.
// CHECK-LABEL: func.func @constraint
// CHECK-NOT: func.call
func.func @constraint(%x: tensor<2x2xf32>, %w: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %0 = samba.linear %x, %w : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %1 = samba.relu %0 : tensor<2x2xf32>
  %2 = samba.tanh %1 : tensor<2x2xf32>
  %3 = samba.linear %2, %w {tier = "ddr"} : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %4 = samba.relu %3 : tensor<2x2xf32>
  %5 = samba.tanh %4 : tensor<2x2xf32>
  return %5 : tensor<2x2xf32>
}

// -----

// Parameters that lie differently on the chips are not equal.
// CHECK-LABEL: func.func @sharding
// CHECK-NOT: func.call
func.func @sharding(%x: tensor<2x2xf32>, %w0: tensor<2x2xf32> {samba.shard = #samba.shard<0, 1, 2>}, %w1: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %0 = samba.linear %x, %w0 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %1 = samba.relu %0 : tensor<2x2xf32>
  %2 = samba.tanh %1 : tensor<2x2xf32>
  %3 = samba.linear %2, %w1 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %4 = samba.relu %3 : tensor<2x2xf32>
  %5 = samba.tanh %4 : tensor<2x2xf32>
  return %5 : tensor<2x2xf32>
}

// -----

// The same ops, joined differently, are no layer: the second sum takes the product twice.
// CHECK-LABEL: func.func @joined_differently
// CHECK-NOT: func.call
func.func @joined_differently(%x: tensor<2x2xf32>, %w: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %0 = samba.linear %x, %w : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %1 = samba.relu %0 : tensor<2x2xf32>
  %2 = samba.add %1, %0 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %3 = samba.linear %2, %w : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %4 = samba.relu %3 : tensor<2x2xf32>
  %5 = samba.add %4, %4 : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  return %5 : tensor<2x2xf32>
}

// -----

// Two graphs of a module that have the same layers call the same function.
// CHECK-LABEL: func.func @first
// CHECK-COUNT-2: func.call @layer_0
// CHECK-LABEL: func.func @second
// CHECK-COUNT-2: func.call @layer_0
// CHECK-NOT: @layer_1
func.func @first(%x: tensor<2x2xf32>, %w: tensor<2x2xf32>, %v: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %0 = samba.linear %x, %w : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %1 = samba.relu %0 : tensor<2x2xf32>
  %2 = samba.tanh %1 : tensor<2x2xf32>
  %3 = samba.linear %2, %v : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %4 = samba.relu %3 : tensor<2x2xf32>
  %5 = samba.tanh %4 : tensor<2x2xf32>
  return %5 : tensor<2x2xf32>
}
func.func @second(%x: tensor<2x2xf32>, %w: tensor<2x2xf32>, %v: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %0 = samba.linear %x, %w : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %1 = samba.relu %0 : tensor<2x2xf32>
  %2 = samba.tanh %1 : tensor<2x2xf32>
  %3 = samba.linear %2, %v : (tensor<2x2xf32>, tensor<2x2xf32>) -> tensor<2x2xf32>
  %4 = samba.relu %3 : tensor<2x2xf32>
  %5 = samba.tanh %4 : tensor<2x2xf32>
  return %5 : tensor<2x2xf32>
}
