"""Lifts, read only."""
