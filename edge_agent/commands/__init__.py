"""The commands of ``edge``, a file for each family."""
