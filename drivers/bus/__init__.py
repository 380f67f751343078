"""Physical lines, each owned by one task."""
