// What the definitions of the kernel ops and attributes say by themselves: which fields there are, and of what kind.
// RUN: samba-opt --verify-diagnostics --split-input-file %s

// A stage has a domain.
func.func @f() {
  // expected-error@below {{property 'domain' expected}}
  "kernel.map"() ({}, {}, {}) : () -> ()
  func.return
}

// -----

// So has each kind.
func.func @f() {
  // expected-error@below {{property 'domain' expected}}
  "kernel.contract"() ({}, {}, {}) : () -> ()
  func.return
}

// -----

// So has each kind.
func.func @f() {
  // expected-error@below {{property 'domain' expected}}
  "kernel.reduce"() ({}, {}, {}) : () -> ()
  func.return
}

// -----

// So has each kind.
func.func @f() {
  // expected-error@below {{property 'domain' expected}}
  "kernel.scan"() ({}, {}, {}) : () -> ()
  func.return
}

// -----

// So has each kind.
func.func @f() {
  // expected-error@below {{property 'domain' expected}}
  "kernel.gather"() ({}, {}, {}) : () -> ()
  func.return
}

// -----

// So has each kind.
func.func @f() {
  // expected-error@below {{property 'domain' expected}}
  "kernel.sort"() ({}, {}, {}) : () -> ()
  func.return
}

// -----

// So has each kind.
func.func @f() {
  // expected-error@below {{property 'domain' expected}}
  "kernel.random"() ({}, {}, {}) : () -> ()
  func.return
}

// -----

// So has each kind.
func.func @f() {
  // expected-error@below {{property 'domain' expected}}
  "kernel.move"() ({}, {}, {}) : () -> ()
  func.return
}

// -----

// A scatter says what happens where points meet.
func.func @f() {
  // expected-error@below {{property 'conflict' expected}}
  "kernel.scatter"() <{domain = #kernel.domain<4 parallel>, maps = []}> ({}, {}, {}) : () -> ()
  func.return
}

// -----

// A collective says which it is.
func.func @f() {
  // expected-error@below {{property 'op' expected}}
  "kernel.collective"() <{domain = #kernel.domain<4 parallel>, maps = [], chips = 2 : i64, wire = f32}> ({}, {}, {}) : () -> ()
  func.return
}

// -----

// Maps are affine.
func.func @f() {
  // expected-error@below {{1 : i64 should be of base attribute affine_map}}
  "kernel.move"() <{domain = #kernel.domain<4 parallel>, maps = [1]}> ({}, {}, {}) : () -> ()
  func.return
}

// -----

// A section has a name.
func.func @f() {
  // expected-error@below {{property 'sym_name' expected}}
  "kernel.section"() ({
    kernel.yield
  }) : () -> ()
  func.return
}

// -----

// A group has the rule that made it.
func.func @f() {
  // expected-error@below {{property 'rule' expected}}
  "kernel.group"() ({
    kernel.yield
  }) : () -> ()
  func.return
}

// -----

// What is loaded is a tensor.
func.func @f(%x: f32) {
  // expected-error@below {{f32 should be of base attribute tensor}}
  %0 = kernel.load %x : f32
  func.return
}

// -----

// What is stored is a tensor.
func.func @f(%x: f32) {
  // expected-error@below {{f32 should be of base attribute tensor}}
  %0, %1 = kernel.store %x : f32
  func.return
}

// -----

// What is buffered is a tensor.
func.func @f(%x: f32) {
  // expected-error@below {{f32 should be of base attribute tensor}}
  %0 = kernel.buffer %x {depth = 1 : i64, tokens = 1 : i64, tier = "sram"} : f32
  func.return
}

// -----

// An index is along a dimension.
func.func @f() {
  // expected-error@below {{property 'dim' expected}}
  %0 = "kernel.index"() : () -> i64
  func.return
}

// -----

// Sorted lists keep their types.
func.func @f(%v: tensor<4xf32>, %i: tensor<4xi64>, %x: f32, %j: i64) {
  // expected-error@below {{attribute tensor<4xf32> expected from variable '_V', but got tensor<8xf32>}}
  %0, %1 = "kernel.insert_sorted"(%v, %i, %x, %j) : (tensor<4xf32>, tensor<4xi64>, f32, i64) -> (tensor<8xf32>, tensor<4xi64>)
  func.return
}

// -----

// Random bits come from a seed and an index, i64 both.
func.func @f(%s: i32, %i: i64) {
  // expected-error@below {{Expected attribute i64 but got i32}}
  %0 = "kernel.random_bits"(%s, %i) : (i32, i64) -> i32
  func.return
}

// -----

// A rest is of floats of one type.
func.func @f(%x: f32, %y: f16) {
  // expected-error@below {{attribute f32 expected from variable 'T', but got f16}}
  %0 = "kernel.rem"(%x, %y) : (f32, f16) -> f32
  func.return
}

// -----

// A fill is one number.
// expected-error@below {{Unexpected attribute}}
module attributes {a = #kernel.fill<"one", tensor<2xf32>>} {
}
