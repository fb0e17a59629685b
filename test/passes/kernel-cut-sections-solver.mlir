// RUN: samba-opt --pass-pipeline=kernel-cut-sections %s | filecheck %s --check-prefixes=ANY,SHORTEST
// RUN: samba-opt --pass-pipeline='kernel-cut-sections{solver=shortest}' %s | filecheck %s --check-prefixes=ANY,SHORTEST
// RUN: samba-opt --pass-pipeline='kernel-cut-sections{solver=greedy}' %s | filecheck %s --check-prefixes=ANY,GREEDY
// RUN: not samba-opt --pass-pipeline='kernel-cut-sections{solver=best}' %s 2>&1 | filecheck %s --check-prefix=WRONG

// A solver that does not exist is refused with those that do.
// WRONG: there is no solver 'best' for cutting
// WRONG: try: use one of shortest, greedy

#row = affine_map<(d0, d1) -> (d0, d1)>
#first = affine_map<(d0, d1) -> (d0)>
#wide_sum = #kernel.domain<1 parallel, 16777216 reduction>
#wide_map = #kernel.domain<1 parallel, 16777216 parallel>

builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 1, chips = 1>} {

  // Four sums of a row each fill the tile. The search keeps the last sum with the map that makes its row, so that the
  // row does not leave the chip; the greedy cut gives the map to the section before, where it still fits.
  // ANY-LABEL: func.func @rows
  // ANY: kernel.section @rows_0
  // GREEDY: kernel.map
  // ANY: kernel.section @rows_1
  // SHORTEST: kernel.map
  // ANY: kernel.reduce
  // ANY-NOT: kernel.section
  func.func @rows(%x: tensor<1x16777216xbf16>, %y: tensor<1x16777216xbf16>) -> (tensor<1xbf16>, tensor<1xbf16>, tensor<1xbf16>, tensor<1xbf16>, tensor<1xbf16>) {
    %r0 = kernel.reduce ins(%x : tensor<1x16777216xbf16>) domain #wide_sum maps [#row, #first] inits [0.0 : bf16] body {
    ^bb0(%e: bf16, %s: bf16):
      %n = arith.addf %s, %e : bf16
      kernel.yield %n : bf16
    } combine {
    ^bb0(%p: bf16, %q: bf16):
      %m = arith.addf %p, %q : bf16
      kernel.yield %m : bf16
    } : tensor<1xbf16>
    %r1 = kernel.reduce ins(%x : tensor<1x16777216xbf16>) domain #wide_sum maps [#row, #first] inits [0.0 : bf16] body {
    ^bb0(%e: bf16, %s: bf16):
      %n = arith.addf %s, %e : bf16
      kernel.yield %n : bf16
    } combine {
    ^bb0(%p: bf16, %q: bf16):
      %m = arith.addf %p, %q : bf16
      kernel.yield %m : bf16
    } : tensor<1xbf16>
    %r2 = kernel.reduce ins(%x : tensor<1x16777216xbf16>) domain #wide_sum maps [#row, #first] inits [0.0 : bf16] body {
    ^bb0(%e: bf16, %s: bf16):
      %n = arith.addf %s, %e : bf16
      kernel.yield %n : bf16
    } combine {
    ^bb0(%p: bf16, %q: bf16):
      %m = arith.addf %p, %q : bf16
      kernel.yield %m : bf16
    } : tensor<1xbf16>
    %r3 = kernel.reduce ins(%x : tensor<1x16777216xbf16>) domain #wide_sum maps [#row, #first] inits [0.0 : bf16] body {
    ^bb0(%e: bf16, %s: bf16):
      %n = arith.addf %s, %e : bf16
      kernel.yield %n : bf16
    } combine {
    ^bb0(%p: bf16, %q: bf16):
      %m = arith.addf %p, %q : bf16
      kernel.yield %m : bf16
    } : tensor<1xbf16>
    %z = kernel.map ins(%y : tensor<1x16777216xbf16>) domain #wide_map maps [#row, #row] body {
    ^bb0(%e: bf16):
      %n = math.exp %e : bf16
      kernel.yield %n : bf16
    } : tensor<1x16777216xbf16>
    %r4 = kernel.reduce ins(%z : tensor<1x16777216xbf16>) domain #wide_sum maps [#row, #first] inits [0.0 : bf16] body {
    ^bb0(%e: bf16, %s: bf16):
      %n = arith.addf %s, %e : bf16
      kernel.yield %n : bf16
    } combine {
    ^bb0(%p: bf16, %q: bf16):
      %m = arith.addf %p, %q : bf16
      kernel.yield %m : bf16
    } : tensor<1xbf16>
    func.return %r0, %r1, %r2, %r3, %r4 : tensor<1xbf16>, tensor<1xbf16>, tensor<1xbf16>, tensor<1xbf16>, tensor<1xbf16>
  }
}
