"""When meters were not read, and why: what gateways told, and what is open now."""
