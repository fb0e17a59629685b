"""Heuristics: named mapping strategies."""
