"""The timing engines."""
