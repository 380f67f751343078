"""Sites, buildings, units, owners, metering points and which meter served them when."""
