"""What the batch log expands to: readings, the latest of each series, and their history."""
