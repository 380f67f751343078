"""Visitors: asked for by a resident, decided by the guard, let in and out at the gate."""
