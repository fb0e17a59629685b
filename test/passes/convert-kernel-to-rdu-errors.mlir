// What units cannot do is refused where it stands.
// RUN: samba-opt --pass-pipeline=convert-kernel-to-rdu --verify-diagnostics --split-input-file %s

// A predicate bounds a linear form.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.section @s (%a = %x : tensor<8xf32>) -> (tensor<8xf32>) {
      %v = kernel.load %a {agcus = 1 : i64, tile = array<i64: 8>} : tensor<8xf32>
      %b = kernel.buffer %v {depth = 1 : i64, tokens = 1 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64} : tensor<8xf32>
      // expected-error@below {{has a predicate that is not linear: dimension 0 is divided}}
      %1 = kernel.map ins(%b : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] predicate affine_set<(d0) : ((d0 floordiv 2) >= 0)> mapping #kernel.mapping<tile = [8], par = [1], order = [0], hold = [1]> windows [1] body {
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

// -----

// Instructions work on numbers.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.section @s (%a = %x : tensor<8xf32>) -> (tensor<8xf32>) {
      %v = kernel.load %a {agcus = 1 : i64, tile = array<i64: 8>} : tensor<8xf32>
      %b = kernel.buffer %v {depth = 1 : i64, tokens = 1 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64} : tensor<8xf32>
      %1 = kernel.reduce ins(%b : tensor<8xf32>) domain #kernel.domain<8 reduction> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (0)>] inits [#kernel.fill<0.0 : f32, tensor<8xf32>>] mapping #kernel.mapping<tile = [8], par = [1], order = [0], hold = [1]> windows [1] body {
      ^bb0(%e: f32, %s: tensor<8xf32>):
        // expected-error@below {{is no number: a tile program holds numbers only}}
        %n = arith.constant dense<0.0> : tensor<8xf32>
        kernel.yield %n : tensor<8xf32>
      } : tensor<8xf32>
      %r, %t = kernel.store %1 {agcus = 1 : i64, tile = array<i64: 8>, depth = 2 : i64} : tensor<8xf32>
      kernel.yield %r : tensor<8xf32>
    }
    func.return %0 : tensor<8xf32>
  }
}

// -----

// Counters count on one chip.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.section @s (%a = %x : tensor<8xf32>) -> (tensor<8xf32>) {
      %v = kernel.load %a {agcus = 1 : i64, tile = array<i64: 8>} : tensor<8xf32>
      %b = kernel.buffer %v {depth = 1 : i64, tokens = 1 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64} : tensor<8xf32>
      %1 = kernel.map ins(%b : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] mapping #kernel.mapping<tile = [8], par = [1], order = [0], hold = [1]> windows [1] body {
      ^bb0(%e: f32):
        // expected-error@below {{needs the number of its chip, which no counter has}}
        // expected-note@below {{try: run on one chip}}
        %i = kernel.index 0 shard 2 x 4
        %n = arith.sitofp %i : i64 to f32
        kernel.yield %n : f32
      } : tensor<8xf32>
      %r, %t = kernel.store %1 {agcus = 1 : i64, tile = array<i64: 8>, depth = 2 : i64} : tensor<8xf32>
      kernel.yield %r : tensor<8xf32>
    }
    func.return %0 : tensor<8xf32>
  }
}

// -----

// A section stores what it yields.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    // expected-error@below {{gives a result of its section without a kernel.store: convert-kernel-to-rdu needs that what a section yields is stored}}
    // expected-note@below {{try: run kernel-insert-transfers first}}
    %0 = kernel.section @s (%a = %x : tensor<8xf32>) -> (tensor<8xf32>) {
      kernel.yield %a : tensor<8xf32>
    }
    func.return %0 : tensor<8xf32>
  }
}

// -----

// It loads what stands in memory.
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
      // expected-error@below {{loads a value that stands in no slot}}
      %w = kernel.load %1 {agcus = 1 : i64, tile = array<i64: 8>} : tensor<8xf32>
      %r, %t = kernel.store %1 {agcus = 1 : i64, tile = array<i64: 8>, depth = 2 : i64} : tensor<8xf32>
      kernel.yield %r : tensor<8xf32>
    }
    func.return %0 : tensor<8xf32>
  }
}

// -----

// It stores over what stands in memory.
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
      %2 = kernel.map ins(%b : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] mapping #kernel.mapping<tile = [8], par = [1], order = [0], hold = [1]> windows [1] body {
      ^bb0(%e: f32):
        %n = arith.negf %e : f32
        kernel.yield %n : f32
      } : tensor<8xf32>
      // expected-error@below {{stores to nothing that a section result or argument stands for}}
      %u, %v2 = kernel.store %1 to %2 {agcus = 1 : i64, tile = array<i64: 8>, depth = 2 : i64} : tensor<8xf32>
      %r, %t = kernel.store %2 {agcus = 1 : i64, tile = array<i64: 8>, depth = 2 : i64} : tensor<8xf32>
      kernel.yield %r : tensor<8xf32>
    }
    func.return %0 : tensor<8xf32>
  }
}

// -----

// PCUs work on elements.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.section @s (%a = %x : tensor<8xf32>) -> (tensor<8xf32>) {
      %v = kernel.load %a {agcus = 1 : i64, tile = array<i64: 8>} : tensor<8xf32>
      %b = kernel.buffer %v {depth = 1 : i64, tokens = 1 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64} : tensor<8xf32>
      // expected-error@below {{works on blocks, which is not supported at the rdu level yet}}
      %1 = kernel.map ins(%b : tensor<8xf32>) domain #kernel.domain<1 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] mapping #kernel.mapping<tile = [1], par = [1], order = [0], hold = [1]> windows [1] body {
      ^bb0(%e: tensor<8xf32>):
        kernel.yield %e : tensor<8xf32>
      } : tensor<8xf32>
      %r, %t = kernel.store %1 {agcus = 1 : i64, tile = array<i64: 8>, depth = 2 : i64} : tensor<8xf32>
      kernel.yield %r : tensor<8xf32>
    }
    func.return %0 : tensor<8xf32>
  }
}

// -----

// An access is linear over counters that are cut in equal parts.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.section @s (%a = %x : tensor<8xf32>) -> (tensor<8xf32>) {
      %v = kernel.load %a {agcus = 1 : i64, tile = array<i64: 8>} : tensor<8xf32>
      %b = kernel.buffer %v {depth = 1 : i64, tokens = 1 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64} : tensor<8xf32>
      // expected-error@below {{reads operand 0 in a way that no access pattern expresses: a remainder by 3 reaches 0..14}}
      %1 = kernel.map ins(%b : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> ((2 * d0) floordiv 3)>, affine_map<(d0) -> (d0)>] mapping #kernel.mapping<tile = [8], par = [1], order = [0], hold = [1]> windows [1] body {
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

// -----

// A buffer overwrites.
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
      // expected-error@below {{updates a copy with conflict 'add', which no buffer does: a buffer overwrites}}
      // expected-note@below {{try: return the updated tensor tied to its argument, and do not read the old one afterwards}}
      %2 = kernel.scatter ins(%1, %b, %b : tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] tied [0] conflict "add" mapping #kernel.mapping<tile = [8], par = [1], order = [0], hold = [1, 1, 1]> windows [1] body {
      ^bb0(%o: f32, %e: f32, %g: f32):
        %n = arith.addf %e, %g : f32
        kernel.yield %n : f32
      } : tensor<8xf32>
      %r, %t = kernel.store %2 {agcus = 1 : i64, tile = array<i64: 8>, depth = 2 : i64} : tensor<8xf32>
      kernel.yield %r : tensor<8xf32>
    }
    func.return %0 : tensor<8xf32>
  }
}

// -----

// Between sections there are calls and constants only.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    // expected-error@below {{stands between sections, where only calls and constants are}}
    %0 = arith.negf %x : tensor<8xf32>
    func.return %0 : tensor<8xf32>
  }
}

// -----

// An argument is updated after all have read it.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  // expected-error@below {{result 0 cannot be written into the argument that it updates: the argument is read afterwards}}
  // expected-note@below {{try: return the updated value without a tie}}
  func.func @f(%x: tensor<8xf32>) -> (tensor<8xf32> {samba.tied = 0 : i64}, tensor<8xf32>) {
    %0 = kernel.section @s0 (%a = %x : tensor<8xf32>) -> (tensor<8xf32>) {
      %v = kernel.load %a {agcus = 1 : i64, tile = array<i64: 8>} : tensor<8xf32>
      %b = kernel.buffer %v {depth = 1 : i64, tokens = 1 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64} : tensor<8xf32>
      %1 = kernel.map ins(%b : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] mapping #kernel.mapping<tile = [8], par = [1], order = [0], hold = [1]> windows [1] body {
      ^bb0(%e: f32):
        %n = arith.negf %e : f32
        kernel.yield %n : f32
      } : tensor<8xf32>
      %r, %t = kernel.store %1 {agcus = 1 : i64, tile = array<i64: 8>, depth = 2 : i64} : tensor<8xf32>
      kernel.yield %r : tensor<8xf32>
    }
    %1 = kernel.section @s1 (%a = %x : tensor<8xf32>) -> (tensor<8xf32>) {
      %v = kernel.load %a {agcus = 1 : i64, tile = array<i64: 8>} : tensor<8xf32>
      %b = kernel.buffer %v {depth = 1 : i64, tokens = 1 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64} : tensor<8xf32>
      %1 = kernel.map ins(%b : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] mapping #kernel.mapping<tile = [8], par = [1], order = [0], hold = [1]> windows [1] body {
      ^bb0(%e: f32):
        %n = arith.negf %e : f32
        kernel.yield %n : f32
      } : tensor<8xf32>
      %r, %t = kernel.store %1 {agcus = 1 : i64, tile = array<i64: 8>, depth = 2 : i64} : tensor<8xf32>
      kernel.yield %r : tensor<8xf32>
    }
    func.return %0, %1 : tensor<8xf32>, tensor<8xf32>
  }
}

// -----

// A stage reads through a buffer.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.section @s (%a = %x : tensor<8xf32>) -> (tensor<8xf32>) {
      %v = kernel.load %a {agcus = 1 : i64, tile = array<i64: 8>} : tensor<8xf32>
      // expected-error@below {{reads a kernel.load without a buffer between: convert-kernel-to-rdu needs that no stage reads a load but through a buffer}}
      // expected-note@below {{try: run kernel-insert-buffers first}}
      %1 = kernel.map ins(%v : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] mapping #kernel.mapping<tile = [8], par = [1], order = [0], hold = [1]> windows [1] body {
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

// -----

// A layer does not call itself.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    // expected-error@below {{is part of a recursion: convert-kernel-to-rdu needs that no function leads back to itself}}
    %0 = func.call @f(%x) : (tensor<8xf32>) -> tensor<8xf32>
    func.return %0 : tensor<8xf32>
  }
}

// -----

// It is there.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func private @g(tensor<8xf32>) -> tensor<8xf32>
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    // expected-error@below {{calls a function that has no body here: convert-kernel-to-rdu needs that calls lead to functions with a body}}
    %0 = func.call @g(%x) : (tensor<8xf32>) -> tensor<8xf32>
    func.return %0 : tensor<8xf32>
  }
}

// -----

// A buffer stands between two.
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>) -> tensor<8xf32> {
    %0 = kernel.section @s (%a = %x : tensor<8xf32>) -> (tensor<8xf32>) {
      %v = kernel.load %a {agcus = 1 : i64, tile = array<i64: 8>} : tensor<8xf32>
      // expected-error@+2 {{buffers what nothing reads}}
      // expected-note@+1 {{try: drop it}}
      %dead = kernel.buffer %v {depth = 1 : i64, tokens = 1 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64} : tensor<8xf32>
      %b = kernel.buffer %v {depth = 1 : i64, tokens = 1 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64} : tensor<8xf32>
      %1 = kernel.map ins(%b : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] mapping #kernel.mapping<tile = [8], par = [1], order = [0], hold = [1]> windows [1] body {
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

// -----

// A launch names its section.
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
      %r, %t = kernel.store %1 {agcus = 1 : i64, tile = array<i64: 8>, depth = 2 : i64} : tensor<8xf32>
      kernel.yield %r : tensor<8xf32>
    }
    // expected-error@+1 {{@s is the name of another section, too}}
    %1 = kernel.section @s (%a = %0 : tensor<8xf32>) -> (tensor<8xf32>) {
      %v = kernel.load %a {agcus = 1 : i64, tile = array<i64: 8>} : tensor<8xf32>
      %b = kernel.buffer %v {depth = 1 : i64, tokens = 1 : i64, tier = "sram", pmus = 1 : i64, banks = 1 : i64} : tensor<8xf32>
      %1 = kernel.map ins(%b : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] mapping #kernel.mapping<tile = [8], par = [1], order = [0], hold = [1]> windows [1] body {
      ^bb0(%e: f32):
        %n = math.exp %e : f32
        kernel.yield %n : f32
      } : tensor<8xf32>
      %r, %t = kernel.store %1 {agcus = 1 : i64, tile = array<i64: 8>, depth = 2 : i64} : tensor<8xf32>
      kernel.yield %r : tensor<8xf32>
    }
    func.return %1 : tensor<8xf32>
  }
}
