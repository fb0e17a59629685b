"""From rdu IR to files that can run, and back."""
