"""Valves and relays that stand alone."""
