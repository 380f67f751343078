"""Notices: written by the office, for a site or some of its buildings, read by those who live there."""
