"""Whether a pass kept what a module computes."""
