"""The kernel dialect: how an operator becomes tiles and pipelines."""
