"""Fusion rules in YAML."""
