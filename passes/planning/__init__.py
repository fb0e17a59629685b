"""How a section runs: what is known of its stages, and the one function that decides."""
