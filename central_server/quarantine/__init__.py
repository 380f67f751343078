"""What could not be expanded, for people to look at."""
