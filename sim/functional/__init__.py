"""The functional engine: the numbers of a program."""
