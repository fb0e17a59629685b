"""Rewriting IR: patterns and their driver, rules and rule files, conversion from dialect to dialect."""
