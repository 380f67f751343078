"""A support archive: what somebody far away must know of a gateway, without its secrets."""
