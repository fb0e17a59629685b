"""The PEF backend: Image, encoder, decoder, ELF."""
