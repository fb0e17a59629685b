"""How operators are sharded over chips."""
