"""Settings of gateways from the centre: pushed, carried down, and followed to their end."""
