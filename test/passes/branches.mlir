// RUN: samba-opt --split-input-file --verify-diagnostics --pass-pipeline=set-target,samba-outline-layers %s
// RUN: samba-opt --split-input-file --verify-diagnostics '--pass-pipeline=set-target{chips=2},samba-shard' %s
// RUN: samba-opt --split-input-file --verify-diagnostics --pass-pipeline=set-target,kernel-cut-sections %s
// RUN: samba-opt --split-input-file --verify-diagnostics --pass-pipeline=set-target,convert-kernel-to-rdu %s

// A graph is one block: functions with branches are refused, by whichever pass comes first.
// expected-error@+1 {{has branches, which no pass takes}}
func.func @f(%x: tensor<4xf32>, %c: i1) -> tensor<4xf32> {
  cf.cond_br %c, ^a, ^b
^a:
  return %x : tensor<4xf32>
^b:
  return %x : tensor<4xf32>
}
