// What stands without an origin, or as a user's, is fixed: it stays, and the rest is decided around it. What a search decided is
// decided again when something fixed has changed.
// RUN: samba-opt --pass-pipeline='kernel-tile,kernel-balance,kernel-insert-transfers,kernel-insert-buffers,kernel-size-fifos' --split-input-file --verify-diagnostics %s | filecheck %s

// Tiles of 16 rows are fixed, on 4 PCUs; a search had decided everything else for tiles of 8: the load follows the tile, the
// buffer the load, and the 32 AGCUs are shared out again by bytes.
// CHECK: kernel.load %a {agcus = 16 : i64, tile = array<i64: 16, 32>, decided_by = "search"}
// CHECK: kernel.buffer {{.*}}tokens = 4 : i64
// CHECK: kernel.map {{.*}}mapping #kernel.mapping<tile = [16, 32], par = [4, 1], order = [0, 1], hold = [1]> windows [4]
// CHECK: decided_by = {windows = "search"}
// CHECK: kernel.store {{.*}} {agcus = 16 : i64, tile = array<i64: 16, 32>, depth = 2 : i64, decided_by = "search"}
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<64x32xf32>) -> tensor<64x32xf32> {
    %0 = kernel.section @s (%a = %x : tensor<64x32xf32>) -> (tensor<64x32xf32>) {
      %l = kernel.load %a {agcus = 3 : i64, tile = array<i64: 8, 32>, decided_by = "search"} : tensor<64x32xf32>
      %b = kernel.buffer %l {depth = 2 : i64, tokens = 8 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64, decided_by = "search"} : tensor<64x32xf32>
      %1 = kernel.map ins(%b : tensor<64x32xf32>) domain #kernel.domain<64 parallel, 32 parallel> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] mapping #kernel.mapping<tile = [16, 32], par = [4, 1], order = [0, 1], hold = [1]> windows [8] body {
      ^bb0(%e: f32):
        %n = math.exp %e : f32
        kernel.yield %n : f32
      } attributes {decided_by = {windows = "search"}} : tensor<64x32xf32>
      %r, %t = kernel.store %1 {agcus = 4 : i64, tile = array<i64: 8, 32>, decided_by = "search"} : tensor<64x32xf32>
      kernel.yield %r : tensor<64x32xf32>
    }
    func.return %0 : tensor<64x32xf32>
  }
}

// -----

// 20 AGCUs of the load are fixed, its tile is not: the store gets the 12 that are left. The mapping is a search's: the tile
// follows the plan, in eighths of the tensor or finer.
// CHECK: kernel.load %a {agcus = 20 : i64, {{.*}}decided_by = {tile = "search"}}
// CHECK: kernel.store {{.*}} {agcus = 12 : i64, {{.*}}decided_by = "search"}
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<64x32xf32>) -> tensor<64x32xf32> {
    %0 = kernel.section @s (%a = %x : tensor<64x32xf32>) -> (tensor<64x32xf32>) {
      %l = kernel.load %a {agcus = 20 : i64} : tensor<64x32xf32>
      %1 = kernel.map ins(%l : tensor<64x32xf32>) domain #kernel.domain<64 parallel, 32 parallel> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] body {
      ^bb0(%e: f32):
        %n = math.exp %e : f32
        kernel.yield %n : f32
      } : tensor<64x32xf32>
      %r, %t = kernel.store %1 : tensor<64x32xf32>
      kernel.yield %r : tensor<64x32xf32>
    }
    func.return %0 : tensor<64x32xf32>
  }
}

// -----

// A buffer whose 3 PMUs and 5 windows are fixed keeps them.
// CHECK: kernel.buffer %l {depth = 5 : i64, {{.*}}pmus = 3 : i64, {{.*}}decided_by = {tokens = "search", banks = "search"}}
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<64x32xf32>) -> tensor<64x32xf32> {
    %0 = kernel.section @s (%a = %x : tensor<64x32xf32>) -> (tensor<64x32xf32>) {
      %l = kernel.load %a : tensor<64x32xf32>
      %b = kernel.buffer %l {depth = 5 : i64, tokens = 8 : i64, tier = "sram", pmus = 3 : i64, banks = 1 : i64, decided_by = {tokens = "search", banks = "search"}} : tensor<64x32xf32>
      %1 = kernel.map ins(%b : tensor<64x32xf32>) domain #kernel.domain<64 parallel, 32 parallel> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] mapping #kernel.mapping<tile = [8, 32], order = [0, 1], hold = [1]> body {
      ^bb0(%e: f32):
        %n = math.exp %e : f32
        kernel.yield %n : f32
      } : tensor<64x32xf32>
      %r, %t = kernel.store %1 : tensor<64x32xf32>
      kernel.yield %r : tensor<64x32xf32>
    }
    func.return %0 : tensor<64x32xf32>
  }
}

// -----

// A reader that takes a tensor in four parts does not take it in eight.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<64x32xf32>) -> tensor<64x32xf32> {
    %0 = kernel.section @s (%a = %x : tensor<64x32xf32>) -> (tensor<64x32xf32>) {
      %l = kernel.load %a : tensor<64x32xf32>
      // expected-error@below {{'tokens' is fixed at 8, and has to be 4: its reader takes other parts}}
      // expected-note@below {{try: give 'tokens' a value that fits}}
      // expected-note@below {{try: leave 'tokens' to kernel-insert-buffers: drop it}}
      %b = kernel.buffer %l {depth = 8 : i64, tokens = 8 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64, decided_by = {depth = "search", pmus = "search", banks = "search"}} : tensor<64x32xf32>
      %1 = kernel.map ins(%b : tensor<64x32xf32>) domain #kernel.domain<64 parallel, 32 parallel> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] mapping #kernel.mapping<tile = [16, 32], order = [0, 1], hold = [1]> body {
      ^bb0(%e: f32):
        %n = math.exp %e : f32
        kernel.yield %n : f32
      } : tensor<64x32xf32>
      %r, %t = kernel.store %1 : tensor<64x32xf32>
      kernel.yield %r : tensor<64x32xf32>
    }
    func.return %0 : tensor<64x32xf32>
  }
}

// -----

// 6400 x 3200 f32 are 81,920,000 bytes: 157 PMUs of 512 KiB, and one does not hold them.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<6400x3200xf32>) -> tensor<6400x3200xf32> {
    %0 = kernel.section @s (%a = %x : tensor<6400x3200xf32>) -> (tensor<6400x3200xf32>) {
      %l = kernel.load %a : tensor<6400x3200xf32>
      // expected-error@below {{'pmus' is fixed at 1, and has to be 157: fewer PMUs do not hold its windows}}
      // expected-note@below {{try: give 'pmus' a value that fits}}
      // expected-note@below {{try: leave 'pmus' to kernel-insert-buffers: drop it}}
      %b = kernel.buffer %l {depth = 1 : i64, tokens = 1 : i64, tier = "sram", pmus = 1 : i64, banks = 16 : i64, decided_by = {depth = "search", tokens = "search", banks = "search"}} : tensor<6400x3200xf32>
      %1 = kernel.map ins(%b : tensor<6400x3200xf32>) domain #kernel.domain<6400 parallel, 3200 parallel> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] mapping #kernel.mapping<tile = [6400, 3200], order = [0, 1], hold = [0]> body {
      ^bb0(%e: f32):
        %n = math.exp %e : f32
        kernel.yield %n : f32
      } : tensor<6400x3200xf32>
      %r, %t = kernel.store %1 : tensor<6400x3200xf32>
      kernel.yield %r : tensor<6400x3200xf32>
    }
    func.return %0 : tensor<6400x3200xf32>
  }
}

// -----

// The tile has 32 AGCUs: 33 for one load do not fit, whoever asks for them.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<64x32xf32>) -> tensor<64x32xf32> {
    // expected-error@below {{does not fit the machine}}
    // expected-note@below {{needs 34 AGCUs, has 32 AGCUs}}
    // expected-note@below {{try: give loads and stores fewer AGCUs, or allow a cut}}
    %0 = kernel.section @s (%a = %x : tensor<64x32xf32>) -> (tensor<64x32xf32>) {
      %l = kernel.load %a {agcus = 33 : i64} : tensor<64x32xf32>
      %1 = kernel.map ins(%l : tensor<64x32xf32>) domain #kernel.domain<64 parallel, 32 parallel> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] body {
      ^bb0(%e: f32):
        %n = math.exp %e : f32
        kernel.yield %n : f32
      } : tensor<64x32xf32>
      %r, %t = kernel.store %1 : tensor<64x32xf32>
      kernel.yield %r : tensor<64x32xf32>
    }
    func.return %0 : tensor<64x32xf32>
  }
}

// -----

// An origin has one of four names.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<64x32xf32>) -> tensor<64x32xf32> {
    %0 = kernel.section @s (%a = %x : tensor<64x32xf32>) -> (tensor<64x32xf32>) {
      // expected-error@below {{'luck' decides nothing}}
      // expected-note@below {{try: use one of user, rule, heuristic, search}}
      %l = kernel.load %a {agcus = 1 : i64, decided_by = "luck"} : tensor<64x32xf32>
      %1 = kernel.map ins(%l : tensor<64x32xf32>) domain #kernel.domain<64 parallel, 32 parallel> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] body {
      ^bb0(%e: f32):
        %n = math.exp %e : f32
        kernel.yield %n : f32
      } : tensor<64x32xf32>
      %r, %t = kernel.store %1 : tensor<64x32xf32>
      kernel.yield %r : tensor<64x32xf32>
    }
    func.return %0 : tensor<64x32xf32>
  }
}

// -----

// It is a name, or a dictionary of names.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<64x32xf32>) -> tensor<64x32xf32> {
    %0 = kernel.section @s (%a = %x : tensor<64x32xf32>) -> (tensor<64x32xf32>) {
      // expected-error@below {{'decided_by' is neither an origin nor a dictionary of them}}
      // expected-note@below {{try: write decided_by = "search", or decided_by = {agcus = "search"}}}
      %l = kernel.load %a {agcus = 1 : i64, decided_by = 3 : i64} : tensor<64x32xf32>
      %1 = kernel.map ins(%l : tensor<64x32xf32>) domain #kernel.domain<64 parallel, 32 parallel> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] body {
      ^bb0(%e: f32):
        %n = math.exp %e : f32
        kernel.yield %n : f32
      } : tensor<64x32xf32>
      %r, %t = kernel.store %1 : tensor<64x32xf32>
      kernel.yield %r : tensor<64x32xf32>
    }
    func.return %0 : tensor<64x32xf32>
  }
}
