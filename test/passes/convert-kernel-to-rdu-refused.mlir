// What memory cannot hold is no argument of a graph.
// RUN: samba-opt --split-input-file --pass-pipeline=set-target,convert-kernel-to-rdu --verify-diagnostics %s

// expected-error@below {{'func.func' op argument 1 is ui8}}
// expected-note@below {{has tensors of static shape, of i1, i8, i16}}
func.func @scalar(%x: tensor<4xf32>, %n: ui8) -> tensor<4xf32> {
  func.return %x : tensor<4xf32>
}

// -----

// expected-error@below {{'func.func' op argument 0 is tensor<?xf32>}}
// expected-note@below {{has tensors of static shape}}
func.func @dynamic(%x: tensor<?xf32>) -> tensor<?xf32> {
  func.return %x : tensor<?xf32>
}

// -----

// expected-error@below {{'func.func' op argument 0 is tensor<4xindex>}}
// expected-note@below {{has tensors of static shape}}
func.func @index(%x: tensor<4xindex>) -> tensor<4xindex> {
  func.return %x : tensor<4xindex>
}
