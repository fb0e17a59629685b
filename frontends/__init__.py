"""From PyTorch to the samba dialect."""
