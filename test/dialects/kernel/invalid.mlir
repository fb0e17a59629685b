// What a stage must not be, each beside the nearest thing that it may be; one message for each rule.
// RUN: samba-opt --verify-diagnostics --split-input-file %s

// Extents are positive.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{dimension d1 has extent 0}}
  %y = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 0 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>]  body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// Each kind takes its iterator kinds only.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{dimension d1 is reduction, kernel.map takes parallel dimensions only}}
  %y = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 reduction>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>]  body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// A reduce needs a reduction dimension.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{needs a reduction dimension}}
  %y = kernel.reduce ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] inits [0.0 : f32] body {
    ^bb0(%a: f32, %acc: f32):
      %0 = arith.addf %acc, %a : f32
      kernel.yield %0 : f32
    } : tensor<4xf32>
  func.return
}

// -----

// A scan has exactly one sequential dimension.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{has 2 sequential dimensions, it takes exactly one}}
  %y = kernel.scan ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 sequential, 8 sequential>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] inits [0.0 : f32] body {
    ^bb0(%a: f32, %acc: f32):
      %0 = arith.addf %acc, %a : f32
      kernel.yield %0 : f32
    } : tensor<4xf32>
  func.return
}

// -----

// One map for every input and result.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{has 1 maps for 1 inputs and 1 results}}
  %y = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>]  body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// Maps are over the domain.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{the map of input 0 has 1 dimensions, the domain 2}}
  %y = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i) -> (i, i)>, affine_map<(i, j) -> (i, j)>]  body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// A coordinate for each dimension of the tensor.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{the map of input 0 has 1 coordinates, tensor<4x8xf32> has 2}}
  %y = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>]  body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// Symbols are bound.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{the map of input 0 has 1 symbols, 0 are bound}}
  %y = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j)[s] -> (i, j)>, affine_map<(i, j) -> (i, j)>]  body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// Symbols are bound to integers.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{symbol s0 is bound to input 0 of type tensor<4x8xf32>, not integers}}
  %y = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j)[s] -> (i, j)>, affine_map<(i, j)[s] -> (i, j)>] bindings [0] body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// Accesses stay in range unless a pad is given.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{input 0 is read at [1, 9) of [0, 8) in coordinate 1; give a pad or keep the access in range}}
  %y = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j + 1)>, affine_map<(i, j) -> (i, j)>]  body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// With a pad they may leave it.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  %y = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j + 1)>, affine_map<(i, j) -> (i, j)>] pads [0.0 : f32] body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// A pad has the type of the elements.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{the pad of input 0 is f64, the elements are f32}}
  %y = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] pads [0.0 : f64] body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// Results are written inside of their tensor.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{result 0 is written at [0, 8) of [0, 4) in coordinate 0}}
  %y = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j, i)>]  body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// Result maps do not use reduction dimensions.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{the map of result 0 uses the reduction dimension d1}}
  %y = kernel.reduce ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 reduction>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>] inits [0.0 : f32] body {
    ^bb0(%a: f32, %acc: f32):
      %0 = arith.addf %acc, %a : f32
      kernel.yield %0 : f32
    } : tensor<8xf32>
  func.return
}

// -----

// No element is written twice.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{result 0 is written more than once along d1}}
  %y = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>]  body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4xf32>
  func.return
}

// -----

// Result maps are linear.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{the map of result 0 uses floordiv or mod; reshape in the input maps}}
  %y = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j mod 4)>]  body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// Only a scatter writes at indexed coordinates.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{the map of result 0 uses a symbol, only scatter writes at indexed coordinates}}
  %y = kernel.map ins(%i, %x : tensor<4xi64>, tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j)[s] -> (i)>, affine_map<(i, j)[s] -> (i, j)>, affine_map<(i, j)[s] -> (s, j)>] bindings [0] body {
    ^bb0(%k: i64, %a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// The predicate is over the domain and the bound symbols.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{the predicate has 1 dimensions and 0 symbols, the domain has 2 and 0 are bound}}
  %y = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] predicate affine_set<(i) : (i >= 0)> body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// One argument for each input and accumulator.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{the body has 1 arguments for 1 inputs and 1 accumulators}}
  %y = kernel.reduce ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 reduction>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] inits [0.0 : f32] body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4xf32>
  func.return
}

// -----

// Arguments have the elements' types.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{body argument 0 is f64, the elements of input 0 are f32}}
  %y = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>]  body {
    ^bb0(%a: f64):
      kernel.yield %a : f64
    } : tensor<4x8xf32>
  func.return
}

// -----

// Results have the yielded types: rounding is written out.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{'body' yields f32 as result 0, the elements of tensor<4x8xbf16> are bf16}}
  %y = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>]  body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xbf16>
  func.return
}

// -----

// The accumulators that the body yields have the types of the inits.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{the accumulators of the body are (f32), expected (f64)}}
  %y = kernel.reduce ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 reduction>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] inits [0.0 : f64] body {
    ^bb0(%a: f32, %acc: f32):
      %0 = arith.addf %acc, %a : f32
      kernel.yield %0 : f32
    } : tensor<4xf32>
  func.return
}

// -----

// A fold needs accumulators.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{needs inits for its accumulators}}
  %y = kernel.reduce ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 reduction>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>]  body {
    ^bb0(%a: f32, %acc: f32):
      %0 = arith.addf %acc, %a : f32
      kernel.yield %0 : f32
    } : tensor<4xf32>
  func.return
}

// -----

// Others have none.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{kernel.map has no accumulators, but inits are given}}
  %y = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] inits [0.0 : f32] body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// Every block starts from the inits, so a sum starts at zero.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{init 0 is 1.0, every block of 128 starts from it: it must be 0}}
  %y = kernel.reduce ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 reduction>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] inits [1.0 : f32] body {
    ^bb0(%a: f32, %acc: f32):
      %0 = arith.addf %acc, %a : f32
      kernel.yield %0 : f32
    } combine {
    ^bb0(%p: f32, %q: f32):
      %merged = arith.addf %p, %q : f32
      kernel.yield %merged : f32
    } : tensor<4xf32>
  func.return
}

// -----

// More points than a block are several partial results: what merges them is said.
func.func @f(%x: tensor<4x129xf32>) {
  // expected-error@below {{folds 129 points, more than the 128 of a block: it needs a 'combine' that merges blocks, or is 'ordered', which is one run}}
  %y = kernel.reduce ins(%x : tensor<4x129xf32>) domain #kernel.domain<4 parallel, 129 reduction>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] inits [0.0 : f32] body {
    ^bb0(%a: f32, %acc: f32):
      %0 = arith.addf %acc, %a : f32
      kernel.yield %0 : f32
    } : tensor<4xf32>
  func.return
}

// -----

// One run has no partial results.
func.func @f(%x: tensor<4x129xf32>) {
  // expected-error@below {{is 'ordered', one run, and has a 'combine' that merges runs}}
  %y = kernel.reduce ins(%x : tensor<4x129xf32>) domain #kernel.domain<4 parallel, 129 reduction>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] inits [0.0 : f32] ordered body {
    ^bb0(%a: f32, %acc: f32):
      %0 = arith.addf %acc, %a : f32
      kernel.yield %0 : f32
    } combine {
    ^bb0(%p: f32, %q: f32):
      %merged = arith.addf %p, %q : f32
      kernel.yield %merged : f32
    } : tensor<4xf32>
  func.return
}

// -----

// The parts of a contract are sums.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>) {
  // expected-error@below {{the 'combine' of a contract adds two partial sums}}
  %y = kernel.contract ins(%x, %w : tensor<4x8xf32>, tensor<16x8xf32>) domain #kernel.domain<4 parallel, 16 parallel, 8 reduction>
      maps [affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (j, k)>, affine_map<(i, j, k) -> (i, j)>] inits [0.0 : f32] body {
    ^bb0(%a: f32, %b: f32, %acc: f32):
      %0 = arith.mulf %a, %b : f32
      %1 = arith.addf %acc, %0 : f32
      kernel.yield %1 : f32
    } combine {
    ^bb0(%p: f32, %q: f32):
      %merged = arith.maximumf %p, %q : f32
      kernel.yield %merged : f32
    } : tensor<4x16xf32>
  func.return
}

// -----

// Bodies hold instructions only.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  %y = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>]  body {
    ^bb0(%a: f32):
      %k = kernel.index 0
      // expected-error@below {{'math.ctlz' op stands in 'body' of kernel.map, no instruction carries it out}}
      %0 = math.ctlz %k : i64
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// Only the body of a scan holds stages.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  %y = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>]  body {
    ^bb0(%a: f32):
      // expected-error@below {{stands in 'body' of kernel.map, only the body of a scan holds stages}}
      %0 = kernel.map domain #kernel.domain<4 parallel>
      maps [affine_map<(i) -> (i)>] body {
        %1 = arith.constant 0.0 : f32
        kernel.yield %1 : f32
      } : tensor<4xf32>
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// Bodies read their arguments, not the world around them.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  %c = arith.constant 0.0 : f32
  %y = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel> maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>]  body {
  ^bb0(%a: f32):
    // expected-error@below {{'arith.addf' op uses a f32 from outside of 'body', which must be an input}}
    %0 = arith.addf %a, %c : f32
    kernel.yield %0 : f32
  } : tensor<4x8xf32>
  func.return
}

// -----

// An index is one of a dimension of the domain.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  %y = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>]  body {
    ^bb0(%a: f32):
      // expected-error@below {{'kernel.index' op is along d2, the domain has 2 dimensions}}
      %0 = kernel.index 2
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// What finish reads does not depend on a folded dimension.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{'finish' reads input 0, whose map uses the folded dimension d1}}
  %y = kernel.reduce ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 reduction>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] inits [0.0 : f32] body {
    ^bb0(%a: f32, %acc: f32):
      %0 = arith.addf %acc, %a : f32
      kernel.yield %0 : f32
    } finish {
    ^bb0(%a: f32, %acc: f32):
      kernel.yield %a : f32
    } : tensor<4xf32>
  func.return
}

// -----

// A contract multiplies and accumulates.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{the body of a contract is 'acc + a * b' on one f32 accumulator}}
  %y = kernel.contract ins(%x, %w : tensor<4x8xf32>, tensor<16x8xf32>) domain #kernel.domain<4 parallel, 16 parallel, 8 reduction>
      maps [affine_map<(m, n, k) -> (m, k)>, affine_map<(m, n, k) -> (n, k)>, affine_map<(m, n, k) -> (m, n)>] inits [0.0 : f32] body {
    ^bb0(%a: f32, %b: f32, %acc: f32):
      %0 = arith.subf %a, %b : f32
      %1 = arith.addf %acc, %0 : f32
      kernel.yield %1 : f32
    } : tensor<4x16xf32>
  func.return
}

// -----

// Only reduction dimensions are split.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{dimension d0 is parallel, only reduction dimensions are split}}
  %y = kernel.reduce ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 reduction>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] inits [0.0 : f32] split [2, 1] body {
    ^bb0(%a: f32, %acc: f32):
      %0 = arith.addf %acc, %a : f32
      kernel.yield %0 : f32
    } combine {
    ^bb0(%p: f32, %q: f32):
      %merged = arith.addf %p, %q : f32
      kernel.yield %merged : f32
    } : tensor<4xf32>
  func.return
}

// -----

// In equal parts.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{dimension d1 of extent 8 does not split in 3 equal parts}}
  %y = kernel.reduce ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 reduction>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] inits [0.0 : f32] split [1, 3] body {
    ^bb0(%a: f32, %acc: f32):
      %0 = arith.addf %acc, %a : f32
      kernel.yield %0 : f32
    } combine {
    ^bb0(%p: f32, %q: f32):
      %merged = arith.addf %p, %q : f32
      kernel.yield %merged : f32
    } : tensor<4xf32>
  func.return
}

// -----

// A split needs a way to merge.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{is split, but has no 'combine' that merges the parts}}
  %y = kernel.reduce ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 reduction>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] inits [0.0 : f32] split [1, 2] body {
    ^bb0(%a: f32, %acc: f32):
      %0 = arith.subf %acc, %a : f32
      kernel.yield %0 : f32
    } : tensor<4xf32>
  func.return
}

// -----

// A tied result has its input's type.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{result 0 of type tensor<4x8xf32> is tied to tensor<4xf32>}}
  %y = kernel.map ins(%x, %v : tensor<4x8xf32>, tensor<4xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>] tied [1] body {
    ^bb0(%a: f32, %b: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// A scatter says what happens when points meet.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{conflict "min" is not one of overwrite, add}}
  %y = kernel.scatter ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] conflict "min" body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// A move changes no element type.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{changes the element type: f32, f64}}
  %y = kernel.move ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] : tensor<4x8xf64>
  func.return
}

// -----

// A concatenation covers its domain; with a gap it needs a pad.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{some points may lie outside of every input; give input 0 a pad}}
  %y = kernel.move ins(%x, %x : tensor<4x8xf32>, tensor<4x8xf32>) domain #kernel.domain<4 parallel, 17 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j - 9)>, affine_map<(i, j) -> (i, j)>] : tensor<4x17xf32>
  func.return
}

// -----

// Without a gap it needs none.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  %y = kernel.move ins(%x, %x : tensor<4x8xf32>, tensor<4x8xf32>) domain #kernel.domain<4 parallel, 16 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j - 8)>, affine_map<(i, j) -> (i, j)>] : tensor<4x16xf32>
  func.return
}

// -----

// A collective's result has the shape that its kind makes.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{the result is tensor<4x8xf32>, all_gather over 2 chips makes 8x8}}
  %y = kernel.collective ins(%x : tensor<4x8xf32>) op "all_gather" domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] dim 0 chips 2 wire f32 : tensor<4x8xf32>
  func.return
}

// -----

// A tile is no larger than its dimension.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{mapping: tile 9 of d1, whose extent is 8}}
  %y = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] mapping #kernel.mapping<tile = [4, 9], par = [1, 1], order = [0, 1], hold = [2]> body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// One entry for each dimension.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{mapping: 'tile' has 1 entries, the domain 2 dimensions}}
  %y = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] mapping #kernel.mapping<tile = [4], par = [1, 1], order = [0, 1], hold = [2]> body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// No more PCUs than points of a tile.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{mapping: par 5 of d0, whose tile is 4}}
  %y = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] mapping #kernel.mapping<tile = [4, 8], par = [5, 1], order = [0, 1], hold = [2]> body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// The order is a permutation.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{mapping: 'order' [0, 0] is not a permutation of the 2 dimensions}}
  %y = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] mapping #kernel.mapping<tile = [4, 8], par = [1, 1], order = [0, 0], hold = [2]> body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// A hold is a loop depth.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{mapping: a 'hold' is a loop depth in [0, 2]}}
  %y = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] mapping #kernel.mapping<tile = [4, 8], par = [1, 1], order = [0, 1], hold = [3]> body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// PCUs share a reduction only where it is split.
func.func @f(%x: tensor<4x8xf32>, %w: tensor<16x8xf32>, %i: tensor<4xi64>, %v: tensor<4xf32>) {
  // expected-error@below {{mapping: par 2 of the reduction dimension d1, which is split in 1}}
  %y = kernel.reduce ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 reduction>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] inits [0.0 : f32] mapping #kernel.mapping<tile = [4, 8], par = [1, 2], order = [0, 1], hold = [2]> body {
    ^bb0(%a: f32, %acc: f32):
      %0 = arith.addf %acc, %a : f32
      kernel.yield %0 : f32
    } : tensor<4xf32>
  func.return
}

// -----

// A tile of a reduction is whole blocks of 128.
func.func @f(%x: tensor<4x512xf32>) {
  // expected-error@below {{mapping: a tile of d1 folds 100 points, it must be whole blocks of 128}}
  %y = kernel.reduce ins(%x : tensor<4x512xf32>) domain #kernel.domain<4 parallel, 512 reduction>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] inits [0.0 : f32] mapping #kernel.mapping<tile = [4, 100], par = [1, 1], order = [0, 1], hold = [2]> body {
    ^bb0(%a: f32, %acc: f32):
      %0 = arith.addf %acc, %a : f32
      kernel.yield %0 : f32
    } combine {
    ^bb0(%p: f32, %q: f32):
      %merged = arith.addf %p, %q : f32
      kernel.yield %merged : f32
    } : tensor<4xf32>
  func.return
}

// -----

// Two blocks are fine, and so are the two parts of a split, one on each PCU.
func.func @f(%x: tensor<4x512xf32>) {
  %y = kernel.reduce ins(%x : tensor<4x512xf32>) domain #kernel.domain<4 parallel, 512 reduction>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] inits [0.0 : f32] split [1, 2] mapping #kernel.mapping<tile = [4, 256], par = [1, 2], order = [0, 1], hold = [2]> body {
    ^bb0(%a: f32, %acc: f32):
      %0 = arith.addf %acc, %a : f32
      kernel.yield %0 : f32
    } combine {
    ^bb0(%p: f32, %q: f32):
      %merged = arith.addf %p, %q : f32
      kernel.yield %merged : f32
    } : tensor<4xf32>
  func.return
}

// -----

// Tiles of several reduction dimensions keep the order of the fold.
func.func @f(%x: tensor<4x2x256xf32>) {
  // expected-error@below {{mapping: the tiles of d1, d2 are visited out of order}}
  %y = kernel.reduce ins(%x : tensor<4x2x256xf32>) domain #kernel.domain<4 parallel, 2 reduction, 256 reduction>
      maps [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (i)>] inits [0.0 : f32] mapping #kernel.mapping<tile = [4, 1, 128], par = [1, 1, 1], order = [0, 2, 1], hold = [3]> body {
    ^bb0(%a: f32, %acc: f32):
      %0 = arith.addf %acc, %a : f32
      kernel.yield %0 : f32
    } combine {
    ^bb0(%p: f32, %q: f32):
      %merged = arith.addf %p, %q : f32
      kernel.yield %merged : f32
    } : tensor<4xf32>
  func.return
}
