// RUN: samba-opt --pass-pipeline=kernel-tile,kernel-balance,kernel-insert-transfers %s | filecheck %s

// State that is written twice: the first write is made in the state's place only where nothing reads it after the second.
// CHECK-LABEL: func.func @read_between
// CHECK: kernel.section @first
// CHECK: %[[COPY:.*]] = kernel.scatter
// CHECK: kernel.store %[[COPY]] {{{.*}}} : tensor<4xf32>
// CHECK: kernel.section @second
// CHECK-LABEL: func.func @not_read
// CHECK: kernel.section @first (%[[N:.*]] = %n
// CHECK: %[[NEW:.*]] = kernel.scatter
// CHECK: kernel.store %[[NEW]] to %[[N]] {{{.*}}} : tensor<4xf32>
// CHECK: kernel.section @second
builtin.module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 4, chips = 1>} {
  func.func @read_between(%n: tensor<4xf32> {samba.name = "n", samba.role = "buffer"}, %i: tensor<1xi64>, %x: tensor<1xf32>) -> (tensor<4xf32> {samba.tied = 0 : i64}, tensor<4xf32>) {
    %0 = kernel.section @first (%a = %n : tensor<4xf32>, %p = %i : tensor<1xi64>, %v = %x : tensor<1xf32>) -> (tensor<4xf32>) {
      %s = kernel.scatter ins(%a, %p, %v : tensor<4xf32>, tensor<1xi64>, tensor<1xf32>) domain #kernel.domain<1 parallel> maps [affine_map<(d0)[s0] -> (0)>, affine_map<(d0)[s0] -> (d0)>, affine_map<(d0)[s0] -> (d0)>, affine_map<(d0)[s0] -> (s0)>] bindings [1] tied [0] conflict "overwrite" body {
      ^bb0(%old: f32, %q: i64, %new: f32):
        kernel.yield %new : f32
      } : tensor<4xf32>
      kernel.yield %s : tensor<4xf32>
    }
    %1 = kernel.section @second (%a = %0 : tensor<4xf32>, %p = %i : tensor<1xi64>, %v = %x : tensor<1xf32>) -> (tensor<4xf32>) {
      %s = kernel.scatter ins(%a, %p, %v : tensor<4xf32>, tensor<1xi64>, tensor<1xf32>) domain #kernel.domain<1 parallel> maps [affine_map<(d0)[s0] -> (0)>, affine_map<(d0)[s0] -> (d0)>, affine_map<(d0)[s0] -> (d0)>, affine_map<(d0)[s0] -> (s0)>] bindings [1] tied [0] conflict "overwrite" body {
      ^bb0(%old: f32, %q: i64, %new: f32):
        kernel.yield %new : f32
      } : tensor<4xf32>
      kernel.yield %s : tensor<4xf32>
    }
    %2 = kernel.section @third (%a = %0 : tensor<4xf32>) -> (tensor<4xf32>) {
      %m = kernel.map ins(%a : tensor<4xf32>) domain #kernel.domain<4 parallel> maps [affine_map<(d0) -> (d0)>, affine_map<(d0) -> (d0)>] body {
      ^bb0(%e: f32):
        %g = arith.negf %e : f32
        kernel.yield %g : f32
      } : tensor<4xf32>
      kernel.yield %m : tensor<4xf32>
    }
    func.return %1, %2 : tensor<4xf32>, tensor<4xf32>
  }
  func.func @not_read(%n: tensor<4xf32> {samba.name = "n", samba.role = "buffer"}, %i: tensor<1xi64>, %x: tensor<1xf32>) -> (tensor<4xf32> {samba.tied = 0 : i64}) {
    %0 = kernel.section @first (%a = %n : tensor<4xf32>, %p = %i : tensor<1xi64>, %v = %x : tensor<1xf32>) -> (tensor<4xf32>) {
      %s = kernel.scatter ins(%a, %p, %v : tensor<4xf32>, tensor<1xi64>, tensor<1xf32>) domain #kernel.domain<1 parallel> maps [affine_map<(d0)[s0] -> (0)>, affine_map<(d0)[s0] -> (d0)>, affine_map<(d0)[s0] -> (d0)>, affine_map<(d0)[s0] -> (s0)>] bindings [1] tied [0] conflict "overwrite" body {
      ^bb0(%old: f32, %q: i64, %new: f32):
        kernel.yield %new : f32
      } : tensor<4xf32>
      kernel.yield %s : tensor<4xf32>
    }
    %1 = kernel.section @second (%a = %0 : tensor<4xf32>, %p = %i : tensor<1xi64>, %v = %x : tensor<1xf32>) -> (tensor<4xf32>) {
      %s = kernel.scatter ins(%a, %p, %v : tensor<4xf32>, tensor<1xi64>, tensor<1xf32>) domain #kernel.domain<1 parallel> maps [affine_map<(d0)[s0] -> (0)>, affine_map<(d0)[s0] -> (d0)>, affine_map<(d0)[s0] -> (d0)>, affine_map<(d0)[s0] -> (s0)>] bindings [1] tied [0] conflict "overwrite" body {
      ^bb0(%old: f32, %q: i64, %new: f32):
        kernel.yield %new : f32
      } : tensor<4xf32>
      kernel.yield %s : tensor<4xf32>
    }
    func.return %1 : tensor<4xf32>
  }
}
