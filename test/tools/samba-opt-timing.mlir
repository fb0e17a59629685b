// --timing says where the time goes, as mlir-opt's report does: a tree, a list with one line a name, or JSON.

// RUN: samba-opt --pass-pipeline='samba-cse,func.func(samba-cse)' --timing %s 2>&1 >/dev/null | filecheck %s --check-prefix=TREE
// TREE: ... Execution time report ...
// TREE: Total Execution Time: {{[0-9.]+}} seconds
// TREE: ----Wall Time----  ----Name----
// TREE-NEXT: {{^ +[0-9.]+ \( *[0-9.]+%\)}}  Parser
// TREE-NEXT: Verifier
// TREE-NEXT: 'builtin.module' Pipeline
// TREE-NEXT: {{\)    samba-cse$}}
// TREE-NEXT: {{\)    'func.func' Pipeline$}}
// TREE-NEXT: {{\)      samba-cse$}}
// TREE-NEXT: Output
// TREE-NEXT: Rest
// TREE-NEXT: (100.0%)  Total

// RUN: samba-opt --pass-pipeline='samba-cse,func.func(samba-cse)' --timing=list %s 2>&1 >/dev/null | filecheck %s --check-prefix=LIST
// LIST-COUNT-1: {{\)  samba-cse$}}
// LIST: (100.0%)  Total

// RUN: samba-opt --pass-pipeline='samba-cse,func.func(samba-cse)' --timing=json %s 2>&1 >/dev/null | python3 -c "import json, sys; rows = json.load(sys.stdin); print(*[row['name'] for row in rows], *[inner['name'] for row in rows for inner in row['passes']], sep=', '); print(sorted(rows[0]['wall']))" | filecheck %s --check-prefix=JSON
// JSON: Parser, Verifier, 'builtin.module' Pipeline, Output, Rest, Total, samba-cse, 'func.func' Pipeline
// JSON: ['duration', 'percentage']

func.func @f(%x: tensor<2xf32>) -> tensor<2xf32> {
  return %x : tensor<2xf32>
}
