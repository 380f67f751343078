"""The gateway: poll, decide, buffer, sync; and the engineer's command line."""
