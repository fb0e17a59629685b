// RUN: samba-opt --pass-pipeline='kernel-cut-sections{mode=o0}' --split-input-file %s | filecheck %s

// Every result gets memory of its own. State is updated in place: the old state, where it is a result, is copied before.
// CHECK-LABEL: func.func @old_state
// CHECK: %[[OLD:.*]] = kernel.section @old_state_copy_0 (%{{.*}} = %n : tensor<4xf32>)
// CHECK-NEXT: kernel.move
// CHECK: %[[NEW:.*]] = kernel.section @old_state_0
// CHECK: func.return %[[OLD]], %[[NEW]]
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @old_state(%n: tensor<4xf32> {samba.name = "n", samba.role = "buffer"}, %x: tensor<4xf32> {samba.name = "x"}) -> (tensor<4xf32> {samba.name = "before"}, tensor<4xf32> {samba.name = "after", samba.tied = 0 : i64}) {
    %0 = kernel.map ins(%n, %x : tensor<4xf32>, tensor<4xf32>) domain #kernel.domain<4 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] body {
    ^bb0(%a: f32, %b: f32):
      %s = arith.addf %a, %b : f32
      kernel.yield %s : f32
    } : tensor<4xf32>
    func.return %n, %0 : tensor<4xf32>, tensor<4xf32>
  }
}

// -----

// A value that is returned twice, an argument that is a result: one copy each.
// CHECK-LABEL: func.func @twice
// CHECK: %[[ONE:.*]] = kernel.section @twice_0
// CHECK-DAG: %[[TWO:.*]] = kernel.section @twice_copy_{{[01]}} (%{{.*}} = %[[ONE]] : tensor<4xf32>)
// CHECK-DAG: %[[X:.*]] = kernel.section @twice_copy_{{[01]}} (%{{.*}} = %x : tensor<4xf32>)
// CHECK: func.return %[[ONE]], %[[TWO]], %[[X]]
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @twice(%n: tensor<4xf32> {samba.name = "n", samba.role = "buffer"}, %x: tensor<4xf32> {samba.name = "x"}) -> (tensor<4xf32> {samba.name = "a"}, tensor<4xf32> {samba.name = "b"}, tensor<4xf32> {samba.name = "c"}) {
    %0 = kernel.map ins(%n, %x : tensor<4xf32>, tensor<4xf32>) domain #kernel.domain<4 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] body {
    ^bb0(%a: f32, %b: f32):
      %s = arith.addf %a, %b : f32
      kernel.yield %s : f32
    } : tensor<4xf32>
    func.return %0, %0, %x : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  }
}

// -----

// New state that is made before the old one is read for the last time goes to its place at the end.
// CHECK-LABEL: func.func @read_after
// CHECK: %[[NEW:.*]] = kernel.section @read_after_0
// CHECK: %[[Y:.*]] = kernel.section @read_after_1 (%{{.*}} = %[[NEW]] : tensor<4xf32>, %{{.*}} = %n : tensor<4xf32>)
// CHECK: %[[PLACE:.*]] = kernel.section @read_after_copy_0 (%{{.*}} = %[[NEW]] : tensor<4xf32>)
// CHECK: func.return %[[PLACE]], %[[Y]]
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @read_after(%n: tensor<4xf32> {samba.name = "n", samba.role = "buffer"}, %x: tensor<4xf32> {samba.name = "x"}) -> (tensor<4xf32> {samba.name = "after", samba.tied = 0 : i64}, tensor<4xf32> {samba.name = "y"}) {
    %0 = kernel.map ins(%n, %x : tensor<4xf32>, tensor<4xf32>) domain #kernel.domain<4 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] body {
    ^bb0(%a: f32, %b: f32):
      %s = arith.addf %a, %b : f32
      kernel.yield %s : f32
    } : tensor<4xf32>
    %1 = kernel.map ins(%0, %n : tensor<4xf32>, tensor<4xf32>) domain #kernel.domain<4 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] body {
    ^bb0(%a: f32, %b: f32):
      %s = arith.mulf %a, %b : f32
      kernel.yield %s : f32
    } : tensor<4xf32>
    func.return %0, %1 : tensor<4xf32>, tensor<4xf32>
  }
}

// -----

// Nothing to copy: the new state is made last, the other result is of a section.
// CHECK-LABEL: func.func @as_it_is
// CHECK-NOT: copy
// CHECK: func.return
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @as_it_is(%n: tensor<4xf32> {samba.name = "n", samba.role = "buffer"}, %x: tensor<4xf32> {samba.name = "x"}) -> (tensor<4xf32> {samba.name = "y"}, tensor<4xf32> {samba.name = "after", samba.tied = 0 : i64}) {
    %0 = kernel.map ins(%n, %x : tensor<4xf32>, tensor<4xf32>) domain #kernel.domain<4 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] body {
    ^bb0(%a: f32, %b: f32):
      %s = arith.mulf %a, %b : f32
      kernel.yield %s : f32
    } : tensor<4xf32>
    %1 = kernel.map ins(%n, %x : tensor<4xf32>, tensor<4xf32>) domain #kernel.domain<4 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] body {
    ^bb0(%a: f32, %b: f32):
      %s = arith.addf %a, %b : f32
      kernel.yield %s : f32
    } : tensor<4xf32>
    func.return %0, %1 : tensor<4xf32>, tensor<4xf32>
  }
}

// -----

// So does new state that is made of old elements from other places: a section stores what it has while it still reads.
// CHECK-LABEL: func.func @turned
// CHECK: %[[NEW:.*]] = kernel.section @turned_0
// CHECK: %[[PLACE:.*]] = kernel.section @turned_copy_0 (%{{.*}} = %[[NEW]] : tensor<4xf32>)
// CHECK: func.return %[[PLACE]]
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @turned(%n: tensor<4xf32> {samba.name = "n", samba.role = "buffer"}) -> (tensor<4xf32> {samba.name = "after", samba.tied = 0 : i64}) {
    %0 = kernel.move ins(%n : tensor<4xf32>) domain #kernel.domain<4 parallel> maps [affine_map<(d0) -> (3 - d0)>, affine_map<(d0) -> (d0)>] : tensor<4xf32>
    func.return %0 : tensor<4xf32>
  }
}

// -----

// New state is made where a section begins its memory, not where a later one updates it: the old one is read between.
// CHECK-LABEL: func.func @begun_before
// CHECK: %[[ZERO:.*]] = kernel.section @begun_before_0 ()
// CHECK: %[[Y:.*]] = kernel.section @begun_before_1 (%{{.*}} = %n : tensor<4xf32>)
// CHECK: %[[NEW:.*]] = kernel.section @begun_before_2 ({{.*}} = %[[ZERO]] : tensor<4xf32>
// CHECK: %[[PLACE:.*]] = kernel.section @begun_before_copy_0 (%{{.*}} = %[[NEW]] : tensor<4xf32>)
// CHECK: func.return %[[PLACE]], %[[Y]]
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @begun_before(%n: tensor<4xf32> {samba.name = "n", samba.role = "buffer"}, %i: tensor<1xi64> {samba.name = "i"}, %x: tensor<1xf32> {samba.name = "x"}) -> (tensor<4xf32> {samba.name = "after", samba.tied = 0 : i64}, tensor<4xf32> {samba.name = "y"}) {
    %0 = kernel.map domain #kernel.domain<4 parallel> maps [affine_map<(d0) -> (d0)>] body {
      %c = arith.constant 0.0 : f32
      kernel.yield %c : f32
    } : tensor<4xf32>
    %1 = kernel.move ins(%n : tensor<4xf32>) domain #kernel.domain<4 parallel> maps [affine_map<(d0) -> (3 - d0)>, affine_map<(d0) -> (d0)>] : tensor<4xf32>
    %2 = kernel.scatter ins(%0, %i, %x : tensor<4xf32>, tensor<1xi64>, tensor<1xf32>) domain #kernel.domain<1 parallel> maps [affine_map<(d0)[s0] -> (0)>, affine_map<(d0)[s0] -> (d0)>, affine_map<(d0)[s0] -> (d0)>, affine_map<(d0)[s0] -> (s0)>] bindings [1] tied [0] conflict "overwrite" body {
    ^bb0(%a: f32, %b: i64, %v: f32):
      kernel.yield %v : f32
    } : tensor<4xf32>
    func.return %2, %1 : tensor<4xf32>, tensor<4xf32>
  }
}
