// The dialect, the pass and the pipeline of the package are found by their names.
// RUN: samba-opt --split-input-file --verify-diagnostics %s | filecheck %s --check-prefix=TEXT
// RUN: samba-opt --split-input-file --verify-diagnostics --pass-pipeline='func.func(lower-saturation)' %s | filecheck %s --check-prefix=LOWER

// TEXT: saturation.clip %x {limit = 6.000000e+00 : f64} : tensor<2x4xf32>
// LOWER: samba.clamp %x {min = -6.0, max = 6.0} : tensor<2x4xf32>
// LOWER-NOT: saturation
func.func @f(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %0 = saturation.clip %x {limit = 6.000000e+00 : f64} : tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}

// -----

func.func @refused(%x: tensor<2x4xf32>) -> tensor<2x4xf32> {
  // expected-error@+1 {{'saturation.clip' op needs a limit above 0, has -1.0}}
  %0 = saturation.clip %x {limit = -1.000000e+00 : f64} : tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}
