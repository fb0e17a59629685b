"""What an RDU is."""
