"""Modules of inputs, outputs and counters."""
