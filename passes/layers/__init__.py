"""Layers that repeat, found by their structure."""
