"""The PyTorch-facing API."""
