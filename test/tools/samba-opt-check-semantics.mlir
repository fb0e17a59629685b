// --check-semantics runs the module before and after each pass on random inputs, and names the pass that changes numbers.
// RUN: samba-opt %s --pass-pipeline=o1 --check-semantics | filecheck %s --check-prefix=GOOD
// GOOD: rdu.program
// RUN: not samba-opt %s --load-pass-plugin=%S/fixtures/broken_passes.py --pass-pipeline=samba-cse,test-break-numbers --check-semantics=1 2>&1 | filecheck %s --check-prefix=WRONG
// WRONG: error: {{.*}}pass 'test-break-numbers', which keeps every bit, changes what graph 'f' computes
// WRONG: note: needs error
// RUN: not samba-opt %s --check-semantics=0 2>&1 | filecheck %s --check-prefix=SEEDS
// SEEDS: expected a number of seeds from 1 on, got '0'

func.func @f(%x: tensor<2x8xf32>) -> tensor<2x8xf32> {
  %0 = samba.exp %x : tensor<2x8xf32>
  %1 = samba.relu %0 : tensor<2x8xf32>
  return %1 : tensor<2x8xf32>
}
