// The conversion decides nothing: what is written in the section is what the units have, and what is missing is asked for.
// RUN: samba-opt --pass-pipeline=convert-kernel-to-rdu --verify-diagnostics --split-input-file %s | filecheck %s

// Two windows of 4 elements on 3 AGCUs, through a buffer of one window, that two PMUs hold with 5 banks a window; the store takes
// 8 elements at a time and lets 7 windows wait: odd numbers, each where it was written.
// CHECK: rdu.load %{{.*}}() {{.*}} tile = array<i64: 4>, {{.*}} count = 3 : i64, {{.*}} -> !rdu.stream<tensor<4xf32>, 2>
// CHECK: rdu.pmu{{.*}} depth = 1 : i64, window_bytes = 16 : i64, banks = 5 : i64, {{.*}} count = 2 : i64
// CHECK: rdu.pcu{{.*}} -> !rdu.stream<tensor<2xf32>, 4>
// CHECK: rdu.store {{.*}} tile = array<i64: 8>, {{.*}} depths = array<i64: 7>, {{.*}} count = 2 : i64
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.section @s (%a = %x : tensor<8xf32>) -> (tensor<8xf32>) {
      %v = kernel.load %a {agcus = 3 : i64, tile = array<i64: 4>} : tensor<8xf32>
      %b = kernel.buffer %v {depth = 1 : i64, tokens = 2 : i64, tier = "sram", pmus = 2 : i64, banks = 5 : i64} : tensor<8xf32>
      %1 = kernel.map ins(%b : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] mapping #kernel.mapping<tile = [4], par = [1], order = [0], hold = [1]> windows [4] body {
      ^bb0(%e: f32):
        %n = arith.negf %e : f32
        kernel.yield %n : f32
      } : tensor<8xf32>
      %r, %t = kernel.store %1 {agcus = 2 : i64, tile = array<i64: 8>, depth = 7 : i64} : tensor<8xf32>
      kernel.yield %r : tensor<8xf32>
    }
    func.return %0 : tensor<8xf32>
  }
}

// -----

// AGCUs of a load.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.section @s (%a = %x : tensor<8xf32>) -> (tensor<8xf32>) {
      // expected-error@below {{has no 'agcus'}}
      // expected-note@below {{try: run kernel-insert-transfers first}}
      %v = kernel.load %a {tile = array<i64: 4>} : tensor<8xf32>
      %b = kernel.buffer %v {depth = 2 : i64, tokens = 2 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64} : tensor<8xf32>
      %1 = kernel.map ins(%b : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] mapping #kernel.mapping<tile = [4], par = [1], order = [0], hold = [1]> windows [2] body {
      ^bb0(%e: f32):
        %n = arith.negf %e : f32
        kernel.yield %n : f32
      } : tensor<8xf32>
      %r, %t = kernel.store %1 {agcus = 1 : i64, tile = array<i64: 4>, depth = 2 : i64} : tensor<8xf32>
      kernel.yield %r : tensor<8xf32>
    }
    func.return %0 : tensor<8xf32>
  }
}

// -----

// Its tile.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.section @s (%a = %x : tensor<8xf32>) -> (tensor<8xf32>) {
      // expected-error@below {{has no 'tile'}}
      // expected-note@below {{try: run kernel-insert-transfers first}}
      %v = kernel.load %a {agcus = 1 : i64} : tensor<8xf32>
      %b = kernel.buffer %v {depth = 2 : i64, tokens = 2 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64} : tensor<8xf32>
      %1 = kernel.map ins(%b : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] mapping #kernel.mapping<tile = [4], par = [1], order = [0], hold = [1]> windows [2] body {
      ^bb0(%e: f32):
        %n = arith.negf %e : f32
        kernel.yield %n : f32
      } : tensor<8xf32>
      %r, %t = kernel.store %1 {agcus = 1 : i64, tile = array<i64: 4>, depth = 2 : i64} : tensor<8xf32>
      kernel.yield %r : tensor<8xf32>
    }
    func.return %0 : tensor<8xf32>
  }
}

// -----

// The windows of a result.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.section @s (%a = %x : tensor<8xf32>) -> (tensor<8xf32>) {
      %v = kernel.load %a {agcus = 1 : i64, tile = array<i64: 4>} : tensor<8xf32>
      %b = kernel.buffer %v {depth = 2 : i64, tokens = 2 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64} : tensor<8xf32>
      // expected-error@below {{has no 'windows'}}
      // expected-note@below {{try: run kernel-insert-buffers first}}
      %1 = kernel.map ins(%b : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] mapping #kernel.mapping<tile = [4], par = [1], order = [0], hold = [1]> body {
      ^bb0(%e: f32):
        %n = arith.negf %e : f32
        kernel.yield %n : f32
      } : tensor<8xf32>
      %r, %t = kernel.store %1 {agcus = 1 : i64, tile = array<i64: 4>, depth = 2 : i64} : tensor<8xf32>
      kernel.yield %r : tensor<8xf32>
    }
    func.return %0 : tensor<8xf32>
  }
}

// -----

// A buffer in front of a stage.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.section @s (%a = %x : tensor<8xf32>) -> (tensor<8xf32>) {
      %v = kernel.load %a {agcus = 1 : i64, tile = array<i64: 4>} : tensor<8xf32>
      // expected-error@below {{reads a kernel.load without a buffer between}}
      // expected-note@below {{try: run kernel-insert-buffers first}}
      %1 = kernel.map ins(%v : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] mapping #kernel.mapping<tile = [4], par = [1], order = [0], hold = [1]> windows [2] body {
      ^bb0(%e: f32):
        %n = arith.negf %e : f32
        kernel.yield %n : f32
      } : tensor<8xf32>
      %r, %t = kernel.store %1 {agcus = 1 : i64, tile = array<i64: 4>, depth = 2 : i64} : tensor<8xf32>
      kernel.yield %r : tensor<8xf32>
    }
    func.return %0 : tensor<8xf32>
  }
}

// -----

// The PMUs of a buffer.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.section @s (%a = %x : tensor<8xf32>) -> (tensor<8xf32>) {
      %v = kernel.load %a {agcus = 1 : i64, tile = array<i64: 4>} : tensor<8xf32>
      // expected-error@below {{has no 'banks'}}
      // expected-note@below {{try: run kernel-insert-buffers first}}
      %b = kernel.buffer %v {depth = 1 : i64, tokens = 2 : i64, tier = "sram", pmus = 2 : i64} : tensor<8xf32>
      %1 = kernel.map ins(%b : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] mapping #kernel.mapping<tile = [4], par = [1], order = [0], hold = [1]> windows [2] body {
      ^bb0(%e: f32):
        %n = arith.negf %e : f32
        kernel.yield %n : f32
      } : tensor<8xf32>
      %r, %t = kernel.store %1 {agcus = 1 : i64, tile = array<i64: 4>, depth = 2 : i64} : tensor<8xf32>
      kernel.yield %r : tensor<8xf32>
    }
    func.return %0 : tensor<8xf32>
  }
}

// -----

// A buffer is written as its maker hands over.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.section @s (%a = %x : tensor<8xf32>) -> (tensor<8xf32>) {
      %v = kernel.load %a {agcus = 1 : i64, tile = array<i64: 4>} : tensor<8xf32>
      // expected-error@below {{is written in another number of windows than it says}}
      // expected-note@below {{needs 2 windows, has 4}}
      // expected-note@below {{try: make 'handed' what its maker hands over}}
      // expected-note@below {{try: drop the buffer and run kernel-insert-buffers}}
      %b = kernel.buffer %v {depth = 1 : i64, tokens = 4 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64} : tensor<8xf32>
      %1 = kernel.map ins(%b : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] mapping #kernel.mapping<tile = [4], par = [1], order = [0], hold = [1]> windows [2] body {
      ^bb0(%e: f32):
        %n = arith.negf %e : f32
        kernel.yield %n : f32
      } : tensor<8xf32>
      %r, %t = kernel.store %1 {agcus = 1 : i64, tile = array<i64: 4>, depth = 2 : i64} : tensor<8xf32>
      kernel.yield %r : tensor<8xf32>
    }
    func.return %0 : tensor<8xf32>
  }
}

// -----

// The windows in front of a store.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.section @s (%a = %x : tensor<8xf32>) -> (tensor<8xf32>) {
      %v = kernel.load %a {agcus = 1 : i64, tile = array<i64: 4>} : tensor<8xf32>
      %b = kernel.buffer %v {depth = 2 : i64, tokens = 2 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64} : tensor<8xf32>
      %1 = kernel.map ins(%b : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] mapping #kernel.mapping<tile = [4], par = [1], order = [0], hold = [1]> windows [2] body {
      ^bb0(%e: f32):
        %n = arith.negf %e : f32
        kernel.yield %n : f32
      } : tensor<8xf32>
      // expected-error@below {{has no depth: convert-kernel-to-rdu needs that stores have a depth}}
      // expected-note@below {{try: run kernel-size-fifos first}}
      %r, %t = kernel.store %1 {agcus = 1 : i64, tile = array<i64: 4>} : tensor<8xf32>
      kernel.yield %r : tensor<8xf32>
    }
    func.return %0 : tensor<8xf32>
  }
}

// -----

// A store's tile is over what makes the tensor.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.section @s (%a = %x : tensor<8xf32>) -> (tensor<8xf32>) {
      %v = kernel.load %a {agcus = 1 : i64, tile = array<i64: 4>} : tensor<8xf32>
      %b = kernel.buffer %v {depth = 2 : i64, tokens = 2 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64} : tensor<8xf32>
      %1 = kernel.map ins(%b : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] mapping #kernel.mapping<tile = [4], par = [1], order = [0], hold = [1]> windows [2] body {
      ^bb0(%e: f32):
        %n = arith.negf %e : f32
        kernel.yield %n : f32
      } : tensor<8xf32>
      // expected-error@below {{has a tile of another rank than what it moves}}
      // expected-note@below {{needs 2 dimensions, has 1}}
      // expected-note@below {{try: drop the tile and run kernel-insert-transfers}}
      %r, %t = kernel.store %1 {agcus = 1 : i64, tile = array<i64: 4, 2>, depth = 2 : i64} : tensor<8xf32>
      kernel.yield %r : tensor<8xf32>
    }
    func.return %0 : tensor<8xf32>
  }
}

// -----

// Between two stages there is a buffer too.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.section @s (%a = %x : tensor<8xf32>) -> (tensor<8xf32>) {
      %v = kernel.load %a {agcus = 1 : i64, tile = array<i64: 8>} : tensor<8xf32>
      %b = kernel.buffer %v {depth = 1 : i64, tokens = 1 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64} : tensor<8xf32>
      %1 = kernel.map ins(%b : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] mapping #kernel.mapping<tile = [8], par = [1], order = [0], hold = [1]> windows [1] body {
      ^bb0(%e: f32):
        %n = arith.negf %e : f32
        kernel.yield %n : f32
      } : tensor<8xf32>
      // expected-error@below {{reads what takes a buffer, which is not there}}
      // expected-note@below {{try: run kernel-insert-buffers first}}
      %2 = kernel.map ins(%1 : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] mapping #kernel.mapping<tile = [8], par = [1], order = [0], hold = [1]> windows [1] body {
      ^bb0(%e: f32):
        %n = arith.negf %e : f32
        kernel.yield %n : f32
      } : tensor<8xf32>
      %r, %t = kernel.store %2 {agcus = 1 : i64, tile = array<i64: 8>, depth = 2 : i64} : tensor<8xf32>
      kernel.yield %r : tensor<8xf32>
    }
    func.return %0 : tensor<8xf32>
  }
}

// -----

// What is updated where it stands is stored.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>, %y: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.section @s (%a = %x : tensor<8xf32>, %c = %y : tensor<8xf32>) -> (tensor<8xf32>) {
      %v = kernel.load %c {agcus = 1 : i64, tile = array<i64: 8>} : tensor<8xf32>
      %b = kernel.buffer %v {depth = 1 : i64, tokens = 1 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64} : tensor<8xf32>
      // expected-error@below {{updates a tensor off the chip without a store}}
      // expected-note@below {{try: run kernel-insert-transfers}}
      %1 = kernel.scatter ins(%a, %b : tensor<8xf32>, tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] tied [0] conflict "overwrite" mapping #kernel.mapping<tile = [8], par = [1], order = [0], hold = [0, 1]> body {
      ^bb0(%o: f32, %e: f32):
        kernel.yield %e : f32
      } : tensor<8xf32>
      %r, %t = kernel.store %v {agcus = 1 : i64, tile = array<i64: 8>, depth = 2 : i64} : tensor<8xf32>
      kernel.yield %r : tensor<8xf32>
    }
    func.return %0 : tensor<8xf32>
  }
}

// -----

// Par factors of a stage.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.section @s (%a = %x : tensor<8xf32>) -> (tensor<8xf32>) {
      %v = kernel.load %a {agcus = 1 : i64, tile = array<i64: 8>} : tensor<8xf32>
      %b = kernel.buffer %v {depth = 1 : i64, tokens = 1 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64} : tensor<8xf32>
      // expected-error@below {{has no par factors: convert-kernel-to-rdu needs that stages have par factors}}
      // expected-note@below {{try: run kernel-balance first}}
      %1 = kernel.map ins(%b : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] mapping #kernel.mapping<tile = [8], order = [0], hold = [1]> windows [1] body {
      ^bb0(%e: f32):
        %n = arith.negf %e : f32
        kernel.yield %n : f32
      } : tensor<8xf32>
      %r, %t = kernel.store %1 {agcus = 1 : i64, tile = array<i64: 8>, depth = 2 : i64} : tensor<8xf32>
      kernel.yield %r : tensor<8xf32>
    }
    func.return %0 : tensor<8xf32>
  }
}
