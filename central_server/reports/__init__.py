"""Figures of how the house is kept: each defined once, computed from what happened, never typed in."""
