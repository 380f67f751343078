"""Gateways, buses and devices as they are now."""
