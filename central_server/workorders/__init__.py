"""Repairs: requests, work orders and their clocks."""
