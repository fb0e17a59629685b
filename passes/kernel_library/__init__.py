"""How each samba operator becomes kernel stages."""
