"""Inspection: checkpoints with labels, routes, plans, the tasks they make, and what was found."""
