// RUN: samba-opt --pass-pipeline='kernel-tile,kernel-balance,kernel-insert-transfers' %s | filecheck %s

// An argument is loaded once for all its readers, a result is stored; what the section yields is what was stored.
// CHECK-LABEL: kernel.section @plain
// CHECK-NEXT: [[L:%.*]] = kernel.load %a
// CHECK-NEXT: [[A:%.*]] = kernel.map ins([[L]] :
// CHECK: [[B:%.*]] = kernel.map ins([[L]], [[A]] :
// CHECK: [[R:%.*]], [[T:%.*]] = kernel.store [[B]]
// CHECK-NEXT: kernel.yield [[R]]

// A cache that is updated and read in one section: the update is a store to the argument, the read a load after it. The
// cache itself is never loaded whole before, nor stored whole.
// CHECK-LABEL: kernel.section @cache
// CHECK: [[P:%.*]] = kernel.load %p
// CHECK: [[N:%.*]] = kernel.load %n
// CHECK: [[S:%.*]] = kernel.scatter ins(%c, [[P]], [[N]] :
// CHECK: [[W:%.*]], [[TOKEN:%.*]] = kernel.store [[S]] to %c
// CHECK-NEXT: [[AGAIN:%.*]] = kernel.load [[W]] after [[TOKEN]]
// CHECK-NEXT: [[SUM:%.*]] = kernel.reduce ins([[AGAIN]] :
// CHECK: [[OUT:%.*]], %{{.*}} = kernel.store [[SUM]]
// CHECK-NEXT: kernel.yield [[W]], [[OUT]]

// A table that is gathered from stays where it is; only the indices are loaded.
// CHECK-LABEL: kernel.section @table
// CHECK-NEXT: [[I:%.*]] = kernel.load %i
// CHECK-NEXT: kernel.gather ins([[I]], %t :

// Of a sliced argument only the slice is loaded. It and the result are of the same size, so that each has its AGCU and half of
// the other 30 of the tile's 32; what is moved at a time is what a firing takes.
// CHECK-LABEL: kernel.section @slice
// CHECK: [[V:%.*]] = kernel.move ins(%a : tensor<64x8xf32>)
// CHECK-NEXT: [[L:%.*]] = kernel.load [[V]] {agcus = 16 : i64, tile = array<i64: 1, 4>, decided_by = "search"} : tensor<2x8xf32>
// CHECK-NEXT: kernel.map ins([[L]] : tensor<2x8xf32>)

// The old elements are read again by the next section, so the update goes to a copy: the tensor is loaded, and what is
// stored is a tensor of its own.
// CHECK-LABEL: kernel.section @copy
// CHECK: [[OLD:%.*]] = kernel.load %c
// CHECK: [[S:%.*]] = kernel.scatter ins([[OLD]],
// CHECK: kernel.store [[S]] {{{.*}}} : tensor<64x8xf32>
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @f(%x: tensor<8xf32>, %kv: tensor<64x8xf32> {samba.role = "state"}, %pos: tensor<1xi64>, %new: tensor<1x8xf32>, %ids: tensor<5xi64>, %table: tensor<100x8xf32>) -> (tensor<8xf32>, tensor<64x8xf32> {samba.tied = 1 : i64}, tensor<8xf32>, tensor<5x8xf32>) {
    %0 = kernel.section @plain (%a = %x : tensor<8xf32>) -> (tensor<8xf32>) {
      %1 = kernel.map ins(%a : tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] body {
      ^bb0(%e: f32):
        %m = arith.negf %e : f32
        kernel.yield %m : f32
      } : tensor<8xf32>
      %2 = kernel.map ins(%a, %1 : tensor<8xf32>, tensor<8xf32>) domain #kernel.domain<8 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] body {
      ^bb0(%e: f32, %f: f32):
        %m = arith.addf %e, %f : f32
        kernel.yield %m : f32
      } : tensor<8xf32>
      kernel.yield %2 : tensor<8xf32>
    }
    %3, %4 = kernel.section @cache (%c = %kv : tensor<64x8xf32>, %p = %pos : tensor<1xi64>, %n = %new : tensor<1x8xf32>) -> (tensor<64x8xf32>, tensor<8xf32>) {
      %5 = kernel.scatter ins(%c, %p, %n : tensor<64x8xf32>, tensor<1xi64>, tensor<1x8xf32>) domain #kernel.domain<1 parallel, 8 parallel> maps [affine_map<(d0, d1)[s0] -> (0, d1)>, affine_map<(d0, d1)[s0] -> (0)>, affine_map<(d0, d1)[s0] -> (d0, d1)>, affine_map<(d0, d1)[s0] -> (s0 + d0, d1)>] bindings [1] tied [0] conflict "overwrite" body {
      ^bb0(%old: f32, %q: i64, %v: f32):
        kernel.yield %v : f32
      } : tensor<64x8xf32>
      %6 = kernel.reduce ins(%5 : tensor<64x8xf32>) domain #kernel.domain<8 parallel, 64 reduction> maps [affine_map<(d0, d1) -> (d1, d0)>, affine_map<(d0, d1) -> (d0)>] inits [0.0 : f32] body {
      ^bb0(%e: f32, %acc: f32):
        %m = arith.addf %acc, %e : f32
        kernel.yield %m : f32
      } : tensor<8xf32>
      kernel.yield %5, %6 : tensor<64x8xf32>, tensor<8xf32>
    }
    %7 = kernel.section @table (%i = %ids : tensor<5xi64>, %t = %table : tensor<100x8xf32>) -> (tensor<5x8xf32>) {
      %8 = kernel.gather ins(%i, %t : tensor<5xi64>, tensor<100x8xf32>) domain #kernel.domain<5 parallel, 8 parallel> maps [affine_map<(d0, d1)[s0] -> (d0)>, affine_map<(d0, d1)[s0] -> (s0, d1)>, affine_map<(d0, d1)[s0] -> (d0, d1)>] bindings [0] body {
      ^bb0(%q: i64, %v: f32):
        kernel.yield %v : f32
      } : tensor<5x8xf32>
      kernel.yield %8 : tensor<5x8xf32>
    }
    func.return %0, %3, %4, %7 : tensor<8xf32>, tensor<64x8xf32>, tensor<8xf32>, tensor<5x8xf32>
  }
  func.func @g(%x: tensor<64x8xf32>, %pos: tensor<1xi64>, %new: tensor<1x8xf32>) -> (tensor<2x8xf32>, tensor<64x8xf32>, tensor<64x8xf32>) {
    %0 = kernel.section @slice (%a = %x : tensor<64x8xf32>) -> (tensor<2x8xf32>) {
      %1 = kernel.move ins(%a : tensor<64x8xf32>) domain #kernel.domain<2 parallel, 8 parallel> maps [affine_map<(d0, d1) -> (d0 + 5, d1)>, affine_map<(d0, d1) -> (d0, d1)>] : tensor<2x8xf32>
      %2 = kernel.map ins(%1 : tensor<2x8xf32>) domain #kernel.domain<2 parallel, 8 parallel> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] body {
      ^bb0(%e: f32):
        %m = arith.negf %e : f32
        kernel.yield %m : f32
      } : tensor<2x8xf32>
      kernel.yield %2 : tensor<2x8xf32>
    }
    %3 = kernel.section @copy (%c = %x : tensor<64x8xf32>, %p = %pos : tensor<1xi64>, %n = %new : tensor<1x8xf32>) -> (tensor<64x8xf32>) {
      %4 = kernel.scatter ins(%c, %p, %n : tensor<64x8xf32>, tensor<1xi64>, tensor<1x8xf32>) domain #kernel.domain<1 parallel, 8 parallel> maps [affine_map<(d0, d1)[s0] -> (0, d1)>, affine_map<(d0, d1)[s0] -> (0)>, affine_map<(d0, d1)[s0] -> (d0, d1)>, affine_map<(d0, d1)[s0] -> (s0 + d0, d1)>] bindings [1] tied [0] conflict "overwrite" body {
      ^bb0(%old: f32, %q: i64, %v: f32):
        kernel.yield %v : f32
      } : tensor<64x8xf32>
      kernel.yield %4 : tensor<64x8xf32>
    }
    %5 = kernel.section @later (%a = %x : tensor<64x8xf32>) -> (tensor<64x8xf32>) {
      %6 = kernel.map ins(%a : tensor<64x8xf32>) domain #kernel.domain<64 parallel, 8 parallel> maps [affine_map<(d0, d1) -> (d0, d1)>, affine_map<(d0, d1) -> (d0, d1)>] body {
      ^bb0(%e: f32):
        %m = arith.negf %e : f32
        kernel.yield %m : f32
      } : tensor<64x8xf32>
      kernel.yield %6 : tensor<64x8xf32>
    }
    func.return %0, %3, %5 : tensor<2x8xf32>, tensor<64x8xf32>, tensor<64x8xf32>
  }
}
