"""Command line tools: argument handling only."""
