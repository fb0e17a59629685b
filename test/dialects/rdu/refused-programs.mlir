// What symbols, sections, schedules and launches cannot be.
// RUN: samba-opt --verify-diagnostics --split-input-file %s

// A program holds symbols, sections and schedules.
// expected-error@below {{holds symbols, sections and schedules, not func.func}}
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  func.func @f() {
    func.return
  }
}

// -----

// Of one name there is one.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.symbol @x input tensor<8xf32>
  // expected-error@below {{'rdu.symbol' op is the second @x of the program}}
  rdu.symbol @x input tensor<8xf32>
}

// -----

// A symbol is a tensor that units handle.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{a symbol has a static shape and elements that units handle, not tensor<?xf32>}}
  rdu.symbol @x input tensor<?xf32>
}

// -----

// It lies in one of the memories.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{tier is one of hbm, ddr, not sram}}
  rdu.symbol @x input tensor<8xf32> {tier = "sram"}
}

// -----

// At an address.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{an address is at least 0}}
  rdu.symbol @x input tensor<8xf32> {address = -1 : i64}
}

// -----

// Constants have data.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{a constant has data, other symbols have none}}
  rdu.symbol @x constant tensor<8xf32>
}

// -----

// Of their own type.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{data of type tensor<1xf32> for a constant of type tensor<8xf32>}}
  rdu.symbol @x constant tensor<8xf32> {data = dense<1.0> : tensor<1xf32>}
}

// -----

// A sharding is three numbers.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{a shard is [dimension, outer, chips]}}
  rdu.symbol @x input tensor<8xf32> {shard = array<i64: 0, 1>}
}

// -----

// A slot takes a tensor.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{a slot is a tensor of static shape, not f32}}
  rdu.section @s (%a : f32) {
  }
}

// -----

// A section holds units.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{holds units, not rdu.counter}}
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.counter 0
  }
}

// -----

// Routes are complete.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{routes are net_sources, net_hops, hops and tracks together}}
  rdu.section @s (%a : tensor<8xf32>) attributes {net_sources = dense<[[0, 0, 0]]> : tensor<1x3xi64>, net_hops = dense<[[1]]> : tensor<1x1xi64>, hops = dense<[[0, 0, 1, 0]]> : tensor<1x4xi64>} {
  }
}

// -----

// Every net has its hops.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{net_hops counts the hops of every net}}
  rdu.section @s (%a : tensor<8xf32>) attributes {net_sources = dense<[[0, 0, 0]]> : tensor<1x3xi64>, net_hops = dense<[[2]]> : tensor<1x1xi64>, hops = dense<[[0, 0, 1, 0]]> : tensor<1x4xi64>, tracks = dense<[[0]]> : tensor<1x1xi64>} {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

// And its flow.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{there is one flow id per net}}
  rdu.section @s (%a : tensor<8xf32>) attributes {net_sources = dense<[[0, 0, 0]]> : tensor<1x3xi64>, net_hops = dense<[[1]]> : tensor<1x1xi64>, hops = dense<[[0, 0, 1, 0]]> : tensor<1x4xi64>, tracks = dense<[[0]]> : tensor<1x1xi64>, flows = dense<[[0], [1]]> : tensor<2x1xi64>} {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

// It begins at an output.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{a route begins at output 0 of unit 1 of group 0, not there}}
  rdu.section @s (%a : tensor<8xf32>) attributes {net_sources = dense<[[0, 0, 1]]> : tensor<1x3xi64>, net_hops = dense<[[1]]> : tensor<1x1xi64>, hops = dense<[[0, 0, 1, 0]]> : tensor<1x4xi64>, tracks = dense<[[0]]> : tensor<1x1xi64>} {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

// Inputs are symbols.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{inputs and outputs are lists of symbols}}
  rdu.schedule @f inputs [1] outputs [] tied [] {
  }
}

// -----

// Every output is tied, or not.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{0 outputs have 1 ties}}
  rdu.schedule @f inputs [] outputs [] tied [-1] {
  }
}

// -----

// To an input that there is.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.symbol @x input tensor<8xf32>
  // expected-error@below {{a tie is the position of an input, or -1}}
  rdu.schedule @f inputs [] outputs [@x] tied [0] {
  }
}

// -----

// Hardware or software orchestrates.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{orchestration is one of hardware, software, not firmware}}
  rdu.schedule @f inputs [] outputs [] tied [] attributes {orchestration = "firmware"} {
  }
}

// -----

// A schedule holds launches.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{holds launches and repeats, not rdu.counter}}
  rdu.schedule @f inputs [] outputs [] tied [] {
    %0 = rdu.counter 0
  }
}

// -----

// Its inputs and outputs are there.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  // expected-error@below {{'rdu.schedule' op there is no symbol @x}}
  rdu.schedule @f inputs [@x] outputs [] tied [] {
  }
}

// -----

// A repeat runs.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.schedule @f inputs [] outputs [] tied [] {
    // expected-error@below {{repeats at least once, not 0 times}}
    rdu.repeat 0 {carried = array<i64>, prefetched = array<i64>} {
    }
  }
}

// -----

// What it repeats are launches.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.schedule @f inputs [] outputs [] tied [] {
    // expected-error@below {{holds launches only}}
    rdu.repeat 1 {carried = array<i64>, prefetched = array<i64>} {
      %0 = rdu.counter 0
    }
  }
}

// -----

// Each round has its symbols.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.symbol @x input tensor<8xf32>
  rdu.section @s (%a : tensor<8xf32>) {
  }
  rdu.schedule @f inputs [@x] outputs [] tied [] {
    // expected-error@below {{every launch has 2 lists of symbols}}
    rdu.repeat 2 {carried = array<i64>, prefetched = array<i64>} {
      rdu.launch @s [[@x]] chips [0]
    }
  }
}

// -----

// A carried stream leads from a slot to a slot.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.symbol @x input tensor<8xf32>
  rdu.section @s (%a : tensor<8xf32>) {
  }
  rdu.schedule @f inputs [@x] outputs [] tied [] {
    // expected-error@below {{carried has rows of 4 numbers, prefetched rows of 2}}
    rdu.repeat 1 {carried = array<i64: 0, 0>, prefetched = array<i64>} {
      rdu.launch @s [[@x]] chips [0]
    }
  }
}

// -----

// That there is.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.symbol @x input tensor<8xf32>
  rdu.section @s (%a : tensor<8xf32>) {
  }
  rdu.schedule @f inputs [@x] outputs [] tied [] {
    // expected-error@below {{there is no slot 1 of launch 0}}
    rdu.repeat 1 {carried = array<i64>, prefetched = array<i64: 0, 1>} {
      rdu.launch @s [[@x]] chips [0]
    }
  }
}

// -----

// A launch outside of a repeat has one symbol for each slot.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.symbol @x input tensor<8xf32>
  rdu.section @s (%a : tensor<8xf32>) {
  }
  rdu.schedule @f inputs [@x] outputs [] tied [] {
    // expected-error@below {{binds a symbol to each slot, in a repeat a list of them for each round}}
    rdu.launch @s [[@x]] chips [0]
  }
}

// -----

// It runs on some chips.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.symbol @x input tensor<8xf32>
  rdu.section @s (%a : tensor<8xf32>) {
  }
  rdu.schedule @f inputs [@x] outputs [] tied [] {
    // expected-error@below {{chips are numbers in ascending order}}
    rdu.launch @s [@x] chips []
  }
}

// -----

// It launches a section.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.symbol @x input tensor<8xf32>
  rdu.schedule @f inputs [@x] outputs [] tied [] {
    // expected-error@below {{'rdu.launch' op there is no section @s}}
    rdu.launch @s [@x] chips [0]
  }
}

// -----

// With a symbol for each slot.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.symbol @x input tensor<8xf32>
  rdu.section @s (%a : tensor<8xf32>) {
  }
  rdu.schedule @f inputs [@x] outputs [] tied [] {
    // expected-error@below {{binds 2 symbols, @s has 1 slots}}
    rdu.launch @s [@x, @x] chips [0]
  }
}

// -----

// That there is.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.symbol @x input tensor<8xf32>
  rdu.section @s (%a : tensor<8xf32>) {
  }
  rdu.schedule @f inputs [@x] outputs [] tied [] {
    // expected-error@below {{'rdu.launch' op there is no symbol @y}}
    rdu.launch @s [@y] chips [0]
  }
}

// -----

// A buffer fits its PMUs.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    // expected-error@below {{'rdu.pmu' op holds 2000000 bytes in 1 PMUs of 524288}}
    %1 = rdu.pmu(%0) {domain = array<i64: 8>, count = 1 : i64, depth = 2 : i64, window_bytes = 1000000 : i64, banks = 1 : i64, init = 0 : i64, writes = [#rdu.port<[8] : [1]>], reads = [#rdu.port<[8] : [1]>]} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1>
  }
}

// -----

// A launch runs on the chips that its collectives join.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 4> {
  rdu.symbol @x input tensor<8xf32>
  rdu.section @s (%a : tensor<8xf32>) {
    %0 = rdu.load %a() {domain = array<i64: 8>, tile = array<i64: 8>, access = #rdu.access<[1]>, count = 1 : i64, indices = 0 : i64, depths = array<i64>} : (tensor<8xf32>) -> !rdu.stream<tensor<8xf32>, 1>
    %1 = rdu.collective(%0) {op = "all_reduce", dim = 0 : i64, chips = 2 : i64, wire = f32, domain = array<i64: 8>, count = 1 : i64, depths = array<i64: 2>} : (!rdu.stream<tensor<8xf32>, 1>) -> !rdu.stream<tensor<8xf32>, 1>
  }
  rdu.schedule @f inputs [@x] outputs [] tied [] {
    // expected-error@below {{runs on 4 chips, a collective of @s joins 2}}
    rdu.launch @s [@x] chips [0, 1, 2, 3]
  }
}

// -----

// An output updates an input of its own type.
rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 1> {
  rdu.symbol @x state tensor<8xf32>
  rdu.symbol @y output tensor<9xf32>
  // expected-error@below {{output @y of type tensor<9xf32> updates @x, which is tensor<8xf32>, or is sharded in another way}}
  rdu.schedule @forward inputs [@x] outputs [@y] tied [0] {
  }
}

// -----

// Symbols, sections and schedules are part of a program.
func.func @f() {
  // expected-error@below {{'rdu.symbol' op expects parent op 'rdu.program'}}
  rdu.symbol @x input tensor<8xf32>
  func.return
}
