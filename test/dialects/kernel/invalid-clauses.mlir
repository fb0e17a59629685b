// What the clauses of a stage must not say: maps, bindings, pads, ties, splits and initial values.
// RUN: samba-opt --verify-diagnostics --split-input-file %s

// A stage works on tensors.
func.func @f(%x: f32) {
  // expected-error@below {{input 0 is f32, not a tensor}}
  %0 = kernel.map ins(%x : f32) domain #kernel.domain<4 parallel>
      maps [affine_map<(i) -> ()>, affine_map<(i) -> (i)>] body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4xf32>
  func.return
}

// -----

// Their shapes are known.
func.func @f(%x: tensor<?x8xf32>) {
  // expected-error@below {{input 0 is tensor<?x8xf32>, its shape must be static and not empty}}
  %0 = kernel.map ins(%x : tensor<?x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// Their elements are numbers.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{result 0 has elements of index, not of i1, i8, i16}}
  %0 = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xindex>
  func.return
}

// -----

// A map divides by positive constants.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{an access map divides by something other than a positive constant}}
  %0 = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i floordiv 0, j)>, affine_map<(i, j) -> (i, j)>] body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// A symbol is bound to an input that there is.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{symbol s0 is bound to input 2, there are 1}}
  %0 = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j)[s] -> (i, j)>, affine_map<(i, j)[s] -> (i, j)>] bindings [2] body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// What a symbol stands for is read at plain coordinates.
func.func @f(%x: tensor<4xi64>, %y: tensor<4xf32>) {
  // expected-error@below {{input 0 is bound to symbol s0, its own map must not use symbols}}
  %0 = kernel.gather ins(%x, %y : tensor<4xi64>, tensor<4xf32>) domain #kernel.domain<4 parallel>
      maps [affine_map<(i)[s] -> (s)>, affine_map<(i)[s] -> (s)>, affine_map<(i)[s] -> (i)>] bindings [0] body {
    ^bb0(%i: i64, %a: f32):
      kernel.yield %a : f32
    } : tensor<4xf32>
  func.return
}

// -----

// It is one number at each point.
func.func @f(%x: tensor<4xi64>, %y: tensor<4xf32>) {
  // expected-error@below {{symbol s0 is bound to input 0, which delivers blocks}}
  %0 = kernel.gather ins(%x, %y : tensor<4xi64>, tensor<4xf32>) domain #kernel.domain<4 parallel>
      maps [affine_map<(i)[s] -> (0)>, affine_map<(i)[s] -> (s)>, affine_map<(i)[s] -> (i)>] bindings [0] body {
    ^bb0(%i: tensor<4xi64>, %a: f32):
      kernel.yield %a : f32
    } : tensor<4xf32>
  func.return
}

// -----

// There is a pad, or unit, for each input.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{has 2 pads for 1 inputs}}
  %0 = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] pads [0.0 : f32, unit] body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// A pad is a number.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{the pad of input 0 is neither a number nor unit}}
  %0 = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] pads ["zero"] body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// Every result is tied, or not.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{'tied' has 2 entries for 1 results}}
  %0 = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] tied [0, -1] body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// It is tied to an input that there is.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{result 0 is tied to input 1, there are 1}}
  %0 = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] tied [1] body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// An input is updated once.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{input 0 is tied to two results}}
  %0, %1 = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] tied [0, 0] body {
    ^bb0(%a: f32):
      kernel.yield %a, %a : f32, f32
    } : tensor<4x8xf32>, tensor<4x8xf32>
  func.return
}

// -----

// Every dimension is split, or not.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{'split' has 1 entries, the domain 2 dimensions}}
  %0 = kernel.reduce ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 reduction>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] inits [0.0 : f32] split [2] body {
    ^bb0(%a: f32, %acc: f32):
      %s = arith.addf %acc, %a : f32
      kernel.yield %s : f32
    } : tensor<4xf32>
  func.return
}

// -----

// There is at least one part.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{dimension d1 is split in 0 parts, it must be at least 1}}
  %0 = kernel.reduce ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 reduction>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] inits [0.0 : f32] split [1, 0] body {
    ^bb0(%a: f32, %acc: f32):
      %s = arith.addf %acc, %a : f32
      kernel.yield %s : f32
    } : tensor<4xf32>
  func.return
}

// -----

// An accumulator starts from a number, or a block of it.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{init 0 is neither a number nor a #kernel.fill}}
  %0 = kernel.reduce ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 reduction>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] inits ["zero"] body {
    ^bb0(%a: f32, %acc: f32):
      %s = arith.addf %acc, %a : f32
      kernel.yield %s : f32
    } : tensor<4xf32>
  func.return
}

// -----

// A block is filled with its own elements.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{init 0 fills tensor<2xf32> with a f64}}
  %0 = kernel.reduce ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 reduction>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] inits [#kernel.fill<0.0 : f64, tensor<2xf32>>] body {
    ^bb0(%a: f32, %acc: tensor<2xf32>):
      kernel.yield %acc : tensor<2xf32>
    } : tensor<4xf32>
  func.return
}

// -----

// A clause stands once.
func.func @f(%x: tensor<4xf32>) {
  // expected-error@below {{'domain' is given twice}}
  %0 = kernel.move ins(%x : tensor<4xf32>) domain #kernel.domain<4 parallel> domain #kernel.domain<4 parallel>
      maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] : tensor<4xf32>
  func.return
}

// -----

// Some clauses are for some kinds.
func.func @f(%x: tensor<4xf32>) {
  // expected-error@below {{'descending' is not for kernel.move}}
  %0 = kernel.move ins(%x : tensor<4xf32>) descending
      domain #kernel.domain<4 parallel> maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] : tensor<4xf32>
  func.return
}
