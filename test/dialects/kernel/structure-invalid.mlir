// What sections, buffers and sorted lists must not be.
// RUN: samba-opt --verify-diagnostics --split-input-file %s

// A section yields what its results are.
func.func @yields(%x: tensor<4xf32>) {
  // expected-error@below {{yields (tensor<4xf32>), its results are (tensor<8xf32>)}}
  %s = kernel.section @s0 (%b = %x : tensor<4xf32>) -> (tensor<8xf32>) {
    kernel.yield %b : tensor<4xf32>
  }
  func.return
}

// -----

// A section is closed: what it reads are its inputs.
func.func @closed(%x: tensor<4xf32>) {
  // expected-error@below {{using value defined out of its IsolatedFromAbove parent}}
  kernel.section @s0 () -> () {
    %v = kernel.load %x : tensor<4xf32>
    kernel.yield
  }
  func.return
}

// -----

// A buffer has room.
func.func @depth(%x: tensor<4xf32>) {
  // expected-error@below {{'depth' is 0, not 1 to 72057594037927936}}
  %u = kernel.buffer %x {depth = 0 : i64, tokens = 4 : i64, tier = "sram"} : tensor<4xf32>
  func.return
}

// -----

// It is in a memory that there is.
func.func @tier(%x: tensor<4xf32>) {
  // expected-error@below {{the tier 'flash' is not one of sram, hbm, ddr}}
  %u = kernel.buffer %x {depth = 1 : i64, tokens = 4 : i64, tier = "flash"} : tensor<4xf32>
  func.return
}

// -----

// Sorted lists are of one length.
func.func @lists(%x: tensor<8xf32>) {
  %values, %indices = kernel.reduce ins(%x : tensor<8xf32>) domain #kernel.domain<8 reduction>
    maps [affine_map<(j) -> (j)>, affine_map<(j) -> (0)>, affine_map<(j) -> (0)>]
    inits [#kernel.fill<0xff800000 : f32, tensor<4xf32>>, #kernel.fill<0 : i64, tensor<3xi64>>]
    body {
    ^bb0(%xe: f32, %v: tensor<4xf32>, %i: tensor<3xi64>):
      %j = kernel.index 0
      // expected-error@below {{the sorted lists are one-dimensional and of one length}}
      %v1, %i1 = kernel.insert_sorted %v, %i, %xe, %j : tensor<4xf32>, tensor<3xi64>
      kernel.yield %v1, %i1 : tensor<4xf32>, tensor<3xi64>
    } : tensor<4xf32>, tensor<3xi64>
  func.return
}

// -----

// A section passes its inputs on as they are.
func.func @arguments(%x: tensor<4xf32>) {
  // expected-error@below {{the region's arguments do not have the types of the inputs}}
  %s = "kernel.section"(%x) <{sym_name = "s0"}> ({
  ^bb0(%b: tensor<8xf32>):
    kernel.yield %b : tensor<8xf32>
  }) : (tensor<4xf32>) -> tensor<8xf32>
  func.return
}

// -----

// It ends with what it yields.
func.func @end(%x: tensor<4xf32>) {
  // expected-error@below {{the region does not end with kernel.yield}}
  kernel.section @s0 (%b = %x : tensor<4xf32>) -> () {
    samba.yield
  }
  func.return
}

// -----

// A load, a store and a buffer change no type.
func.func @load(%x: tensor<4xf32>) {
  // expected-error@below {{loads tensor<4xf32> as tensor<4xbf16>}}
  %v = "kernel.load"(%x) : (tensor<4xf32>) -> tensor<4xbf16>
  func.return
}

// -----

func.func @store(%x: tensor<4xf32>, %y: tensor<8xf32>) {
  // expected-error@below {{stores tensor<4xf32> as tensor<8xf32>}}
  %v, %t = "kernel.store"(%x, %y) <{operandSegmentSizes = array<i32: 1, 1, 0>}> : (tensor<4xf32>, tensor<8xf32>) -> (tensor<4xf32>, !kernel.token)
  func.return
}

// -----

func.func @buffer(%x: tensor<4xf32>) {
  // expected-error@below {{buffers tensor<4xf32> as tensor<8xf32>}}
  %v = "kernel.buffer"(%x) <{depth = 1 : i64, tokens = 1 : i64, tier = "sram"}> : (tensor<4xf32>) -> tensor<8xf32>
  func.return
}

// -----

func.func @token(%x: !kernel.token) {
  // expected-error@below {{!kernel.token should be of base attribute tensor}}
  %0 = kernel.section @s (%a = %x : !kernel.token) -> (!kernel.token) {
    kernel.yield %a : !kernel.token
  }
  func.return
}

// -----

func.func @windows(%x: tensor<4xf32>) {
  // expected-error@below {{'tokens' is 4611686018427387904, not 1 to 72057594037927936}}
  %u = kernel.buffer %x {depth = 1 : i64, tokens = 4611686018427387904 : i64, tier = "sram"} : tensor<4xf32>
  func.return
}

// -----

// A buffer has no more room than there are windows.
func.func @room(%x: tensor<4xf32>) {
  // expected-error@below {{'depth' is 5, there are 4 windows}}
  %u = kernel.buffer %x {depth = 5 : i64, tokens = 2 : i64, handed = 4 : i64, tier = "sram"} : tensor<4xf32>
  func.return
}

// -----

// What moves a tensor is at least one AGCU, and it moves a part of it.
func.func @agcus(%x: tensor<4xf32>) {
  // expected-error@below {{'agcus' is 0, not 1 to 72057594037927936}}
  %v = kernel.load %x {agcus = 0 : i64, tile = array<i64: 4>} : tensor<4xf32>
  func.return
}

// -----

func.func @empty(%x: tensor<4xf32>) {
  // expected-error@below {{'tile' is [0]: every part is 1 to 72057594037927936}}
  %v, %t = kernel.store %x {agcus = 1 : i64, tile = array<i64: 0>} : tensor<4xf32>
  func.return
}

// -----

func.func @part(%x: tensor<4x2xf32>) {
  // expected-error@below {{'tile' is [4, 3], which is no part of tensor<4x2xf32>}}
  %v = kernel.load %x {agcus = 1 : i64, tile = array<i64: 4, 3>} : tensor<4x2xf32>
  func.return
}

// -----

// A load reads, it has no destination.
func.func @load_to(%x: tensor<4xf32>) {
  // expected-error@below {{'kernel.load' takes no 'to'}}
  %v = kernel.load %x to %x : tensor<4xf32>
  func.return
}

// -----

// A stage says for each result in how many windows it leaves.
func.func @two(%x: tensor<4xf32>) {
  // expected-error@below {{'windows' has 2 entries for 1 results}}
  %y = kernel.move ins(%x : tensor<4xf32>) domain #kernel.domain<4 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] windows [1, 1] : tensor<4xf32>
  func.return
}

// -----

func.func @none(%x: tensor<4xf32>) {
  // expected-error@below {{'windows' is [0]: every count is 1 to 72057594037927936}}
  %y = kernel.move ins(%x : tensor<4xf32>) domain #kernel.domain<4 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] windows [0] : tensor<4xf32>
  func.return
}

// -----

func.func @in_place(%x: tensor<4xf32>) {
  // expected-error@below {{'agcus' is 0, not 1 to 72057594037927936}}
  %y = kernel.move ins(%x : tensor<4xf32>) domain #kernel.domain<4 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] agcus 0 : tensor<4xf32>
  func.return
}
