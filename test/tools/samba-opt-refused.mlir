// RUN: samba-opt --split-input-file --verify-diagnostics %s

// Text that no tool made is refused where it is wrong, whatever reads it first.

// A verifier that reads a field of the op around its own: the field is what is wrong.
"builtin.module"() ({
  // expected-error@+1 {{property 'function_type' expected}}
  "func.func"() ({
  ^bb0(%a : f32):
    "func.return"(%a) : (f32) -> ()
  }) {sym_name = "f"} : () -> ()
}) : () -> ()

// -----

// A string that does not end is refused in time linear in the line.
// expected-error@+1 {{string without its end}}
"builtin.module"() ({ }) {sym_name = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa} : () -> ()

// -----

// An unknown attribute in opaque syntax is refused at its name.
// expected-error@+1 {{unknown attribute 'rdu.targe'; did you mean 'rdu.target'?}}
module attributes {rdu.target = #rdu<targe machine = "sn40l">} {}

// -----

// Not at its start either.
// expected-error@+1 {{string without its end}}
"aaaa

// -----

// A mark that must be there is named, with what stands in its place.
func.func @f(%a : f32) {
  // expected-error@+1 {{expected '->', found ':'}}
  kernel.section @s (%b = %a : f32) : () {
  }
  func.return
}

// -----

// A block is defined once.
func.func @f() {
  cf.br ^a
^a:
  cf.br ^a
// expected-error@+1 {{redefinition of block '^a'}}
^a:
  func.return
}

// -----

// A block ends with a terminator, so it is not empty.
// expected-error@+1 {{contains an empty block where a terminator is needed}}
"func.func"() <{sym_name = "f", function_type = () -> ()}> ({
^bb0:
}) : () -> ()

// -----

// A value is defined.
func.func @f() -> i32 {
  // expected-error@+1 {{uses %a, which is not defined}}
  func.return %a : i32
}

// -----

// Types whose numbers can be neither read nor printed.
// expected-error@+1 {{numbers of type f128 are not supported}}
module attributes {a = 1.0 : f128} {}

// -----

// expected-error@+1 {{numbers of type i16777216 are not supported}}
module attributes {a = 1 : i16777216} {}

// -----

// An expression deeper than what is recursive can follow.
// expected-error@+1 {{an affine expression is nested more than 100 times}}
module attributes {a = affine_map<(d0) -> (d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0 + d0)>} {}

// -----

// Weights are no constants; a constant that fills a tensor has all of its elements in memory, too.
// expected-error@+1 {{constants have at most 16777216 elements: tensor<99999999999xf32>}}
module attributes {a = dense<1.0> : tensor<99999999999xf32>} {}

// -----

// Any string is a visibility to xDSL.
// expected-error@+1 {{has the visibility '', not one of public, private, nested}}
"func.func"() <{sym_name = "f", function_type = () -> (), sym_visibility = ""}> ({
  func.return
}) : () -> ()
