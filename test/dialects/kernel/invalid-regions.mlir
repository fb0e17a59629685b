// What the regions of a stage must not be.
// RUN: samba-opt --verify-diagnostics --split-input-file %s

// A map computes something.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{needs a body}}
  %0 = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] : tensor<4x8xf32>
  func.return
}

// -----

// In one block.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{'body' has more than one block}}
  %0 = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] body {
    ^bb0(%a: f32):
      cf.br ^bb1
    ^bb1:
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// It ends with its results.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{'body' does not end with kernel.yield}}
  %0 = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] body {
    ^bb0(%a: f32):
      samba.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// There is a value for each.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{the body yields 2 values for 1 results}}
  %0 = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] body {
    ^bb0(%a: f32):
      kernel.yield %a, %a : f32, f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// A point takes no block of more dimensions than the input has.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{body argument 0 is a block of rank 3, input 0 is tensor<4x8xf32>}}
  %0 = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] body {
    ^bb0(%a: tensor<1x1x1xf32>):
      %s = arith.constant 0.0 : f32
      kernel.yield %s : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// And makes none of more than the result has.
func.func @f(%x: tensor<4x8x1xf32>) {
  // expected-error@below {{'body' yields a block of rank 3 as result 0, which is tensor<4x8xf32>}}
  %0 = kernel.map ins(%x : tensor<4x8x1xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j, 0)>, affine_map<(i, j) -> (i, j)>] body {
    ^bb0(%a: tensor<1x1x1xf32>):
      kernel.yield %a : tensor<1x1x1xf32>
    } : tensor<4x8xf32>
  func.return
}

// -----

// Every op of a body is an instruction of the machine: no PCU compares for nothing.
func.func @f(%x: tensor<4x8xf32>) {
  %0 = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] body {
    ^bb0(%a: f32):
      // expected-error@below {{'arith.cmpf' op stands in 'body' of kernel.map, no instruction carries it out}}
      %s = arith.cmpf false, %a, %a : f32
      kernel.yield %s : i1
    } : tensor<4x8xi1>
  func.return
}

// -----

// A fold yields its accumulators.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{the body yields accumulators of (f64), expected (f32)}}
  %0 = kernel.reduce ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 reduction>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] inits [0.0 : f32] body {
    ^bb0(%a: f32, %acc: f32):
      %s = arith.extf %acc : f32 to f64
      kernel.yield %s : f64
    } : tensor<4xf32>
  func.return
}

// -----

// Only a scan yields something at every step.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{the body yields 1 values beside its 1 accumulators}}
  %0 = kernel.reduce ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 reduction>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] inits [0.0 : f32] body {
    ^bb0(%a: f32, %acc: f32):
      %s = arith.addf %acc, %a : f32
      kernel.yield %s, %s : f32, f32
    } : tensor<4xf32>
  func.return
}

// -----

// It has a result for what it yields.
func.func @f(%x: tensor<8xf32>) {
  // expected-error@below {{the body yields 2 results of a step, there are 1 results}}
  %0 = kernel.scan ins(%x : tensor<8xf32>) domain #kernel.domain<8 sequential>
      maps [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>] inits [0.0 : f32] body {
    ^bb0(%a: f32, %acc: f32):
      %s = arith.addf %acc, %a : f32
      kernel.yield %s, %s, %s : f32, f32, f32
    } : tensor<8xf32>
  func.return
}

// -----

// Accumulators without a finish are the results.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{accumulators without 'finish' (f32), expected (i32)}}
  %0 = kernel.reduce ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 reduction>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] inits [0.0 : f32] body {
    ^bb0(%a: f32, %acc: f32):
      %s = arith.addf %acc, %a : f32
      kernel.yield %s : f32
    } : tensor<4xi32>
  func.return
}

// -----

// What finishes a fold follows one.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{'finish' needs accumulators}}
  %0 = kernel.map ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 parallel>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i, j)>] body {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } finish {
    ^bb0(%a: f32):
      kernel.yield %a : f32
    } : tensor<4x8xf32>
  func.return
}

// -----

// It takes inputs and accumulators.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{the arguments of 'finish' are (f32), expected (f32, f32)}}
  %0 = kernel.reduce ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 reduction>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] inits [0.0 : f32] body {
    ^bb0(%a: f32, %acc: f32):
      %s = arith.addf %acc, %a : f32
      kernel.yield %s : f32
    } finish {
    ^bb0(%acc: f32):
      kernel.yield %acc : f32
    } : tensor<4xf32>
  func.return
}

// -----

// It yields the results.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{'finish' yields 2 values for 1 results}}
  %0 = kernel.reduce ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 reduction>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] inits [0.0 : f32] body {
    ^bb0(%a: f32, %acc: f32):
      %s = arith.addf %acc, %a : f32
      kernel.yield %s : f32
    } finish {
    ^bb0(%a: f32, %acc: f32):
      kernel.yield %acc, %acc : f32, f32
    } : tensor<4xf32>
  func.return
}

// -----

// A combine takes the accumulators of two parts.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{the arguments of 'combine' are (f32), expected (f32, f32)}}
  %0 = kernel.reduce ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 reduction>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] inits [0.0 : f32] body {
    ^bb0(%a: f32, %acc: f32):
      %s = arith.addf %acc, %a : f32
      kernel.yield %s : f32
    } combine {
    ^bb0(%l: f32):
      kernel.yield %l : f32
    } : tensor<4xf32>
  func.return
}

// -----

// And yields those of both.
func.func @f(%x: tensor<4x8xf32>) {
  // expected-error@below {{'combine' yields (f64), expected (f32)}}
  %0 = kernel.reduce ins(%x : tensor<4x8xf32>) domain #kernel.domain<4 parallel, 8 reduction>
      maps [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>] inits [0.0 : f32] body {
    ^bb0(%a: f32, %acc: f32):
      %s = arith.addf %acc, %a : f32
      kernel.yield %s : f32
    } combine {
    ^bb0(%l: f32, %r: f32):
      %s = arith.extf %l : f32 to f64
      kernel.yield %s : f64
    } : tensor<4xf32>
  func.return
}
