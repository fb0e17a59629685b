// A collective joins the chips that the model is compiled for.
// RUN: samba-opt --pass-pipeline=o1 --verify-diagnostics %s
// RUN: samba-opt --pass-pipeline='o1{chips=2}' %s | filecheck %s

// CHECK: rdu.program #rdu.target<machine = "sn40l", tiles = 4, chips = 2>
// CHECK: rdu.collective
func.func @f(%x: tensor<4x8xf32> {samba.name = "x"}) -> (tensor<4x8xf32> {samba.name = "y"}) {
  // expected-error@+3 {{'kernel.collective' op joins other chips than its launch runs on}}
  // expected-note@+2 {{needs 2 chips, has 1 in the target}}
  // expected-note@+1 {{try: compile for 2 chips}}
  %0 = samba.all_reduce %x {chips = 2} : tensor<4x8xf32>
  func.return %0 : tensor<4x8xf32>
}
