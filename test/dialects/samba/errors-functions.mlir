// What samba attributes of a function's arguments and results must not be.
// RUN: samba-opt --verify-diagnostics --split-input-file %s

// A name is a string.
// expected-error@+1 {{function @name: argument 0: samba.name must be a string, got 1 : i64}}
func.func @name(%a: tensor<2xf32> {samba.name = 1 : i64}) {
  func.return
}

// -----

// It is one that files of tensors can hold.
// expected-error@+1 {{function @kept: argument 0: the samba.name "__metadata__" is kept for metadata in safetensors files}}
func.func @kept(%a: tensor<2xf32> {samba.name = "__metadata__"}) {
  func.return
}

// -----

// expected-error@+1 {{function @zero: result 0: the samba.name "a\00b" holds a zero byte, which no PEF can store}}
func.func @zero(%a: tensor<2xf32>) -> (tensor<2xf32> {samba.name = "a\00b"}) {
  func.return %a : tensor<2xf32>
}

// -----

// Two arguments of one graph are two tensors.
// expected-error@+1 {{function @twice: arguments 0 and 1 have the same name "w"}}
func.func @twice(%a: tensor<2xf32> {samba.name = "w"}, %b: tensor<2xf32> {samba.name = "w"}) {
  func.return
}

// -----

// A role is one of four.
// expected-error@+1 {{function @role: argument 0: samba.role must be one of input, param, buffer, state, got "weight"}}
func.func @role(%a: tensor<2xf32> {samba.role = "weight"}) {
  func.return
}

// -----

// A sharding is its own attribute.
// expected-error@+1 {{function @shard: argument 0: samba.shard must be a #samba.shard, got 2 : i64}}
func.func @shard(%a: tensor<2xf32> {samba.shard = 2 : i64}) {
  func.return
}

// -----

// It names a dimension of its tensor.
// expected-error@+1 {{function @dimension: argument 0: #samba.shard<1, 1, 2> names a dimension that tensor<2xf32> has not}}
func.func @dimension(%a: tensor<2xf32> {samba.shard = #samba.shard<1, 1, 2>}) {
  func.return
}

// -----

// Only tensors lie on chips.
// expected-error@+1 {{function @tensor: needs tensors, got i32}}
func.func @tensor(%a: i32 {samba.shard = #samba.shard<0, 1, 2>}) {
  func.return
}

// -----

// A tie is the number of an argument.
// expected-error@+1 {{function @tie: result 0: samba.tied must be the number of an argument as i64, got 1 : i64}}
func.func @tie(%a: tensor<2xf32>) -> (tensor<2xf32> {samba.tied = 1 : i64}) {
  func.return %a : tensor<2xf32>
}

// -----

// An argument is updated once.
// expected-error@+1 {{function @ties: results 0 and 1 are tied to the same argument}}
func.func @ties(%a: tensor<2xf32>) -> (tensor<2xf32> {samba.tied = 0 : i64}, tensor<2xf32> {samba.tied = 0 : i64}) {
  func.return %a, %a : tensor<2xf32>, tensor<2xf32>
}

// -----

// expected-error@+1 {{function @f: has 1 arguments and attributes for 0}}
"func.func"() <{sym_name = "f", function_type = (f32) -> (), arg_attrs = []}> ({
^bb0(%x: f32):
  func.return
}) : () -> ()

// -----

// expected-error@+1 {{function @f: has 0 results and attributes for 1}}
"func.func"() <{sym_name = "f", function_type = () -> (), res_attrs = [{samba.name = "y"}]}> ({
  func.return
}) : () -> ()

// -----

// expected-error@+1 {{function @f: is a declaration: its text has no place for attributes of arguments}}
"func.func"() <{sym_name = "f", function_type = (f32) -> (), arg_attrs = [{samba.name = "x"}]}> ({}) : () -> ()

// -----

// A tensor has no more dimensions than PyTorch's, with which the simulator computes.
// expected-error@below {{function @deep: needs tensors of at most 64 dimensions, got 65}}
func.func @deep(%a: tensor<1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1x1xf32>) {
  func.return
}
