"""What the toolkit makes of programs that nobody wrote for it, as a table: right, refused, wrong or crashed.

    python -m sambaflow.testing.coverage operators              # PyTorch's own operator data
    python -m sambaflow.testing.coverage frontend               # transformers' causal architectures
    python -m sambaflow.testing.coverage operators --only softmax --json out.json

`outcomes` says what a program came to and prints the table, `workers` runs programs side by side within a time each;
a module per source of programs. Needs the extra `dev`.
"""
