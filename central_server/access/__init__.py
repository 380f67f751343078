"""Doors: who may open which and when, the rules handed to the gateways, and what every door decided."""
