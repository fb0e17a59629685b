// What streams and access patterns cannot be.
// RUN: samba-opt --verify-diagnostics --split-input-file %s

// A stream carries tensors.
// expected-error@below {{a stream carries tensors, or none: not i32}}
module attributes {a = !rdu.stream<i32, 1>} {
}

// -----

// Its windows have one size.
// expected-error@below {{the tile of a stream has a static shape: not tensor<?xf32>}}
module attributes {a = !rdu.stream<tensor<?xf32>, 1>} {
}

// -----

// Its elements are those of units.
// expected-error@below {{no unit handles elements of type index}}
module attributes {a = !rdu.stream<tensor<8xindex>, 1>} {
}

// -----

// It hands over something.
// expected-error@below {{a stream hands over at least one window, not 0}}
module attributes {a = !rdu.stream<tensor<8xf32>, 0>} {
}

// -----

// Every index has its stride.
// expected-error@below {{1 index ports have 2 index strides}}
module attributes {a = #rdu.access<[1] index_ports [0] index_strides [1, 2]>} {
}

// -----

// Index terms of bounds are a table.
// expected-error@below {{bound_index has one row per bound (1), one column per index (1)}}
module attributes {a = #rdu.access<[1] bounds [[0, 1, 8]] bound_index [[1, 2]] index_ports [0] index_strides [1]>} {
}

// -----

// A pad is the bits of an element.
// expected-error@below {{pad -1 is not the raw bits of an element}}
module attributes {a = #rdu.access<[1] pad -1>} {
}

// -----

// A port strides over its own domain.
// expected-error@below {{1 extents have 2 strides}}
module attributes {a = #rdu.port<[8] : [8, 1]>} {
}
