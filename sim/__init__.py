"""The simulator: reference interpreters, functional and timing engines."""
