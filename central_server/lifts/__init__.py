"""Lifts: seen, never moved."""
