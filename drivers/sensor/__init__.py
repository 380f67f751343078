"""Devices that tell by themselves what they sense; a read gives what was heard last."""
