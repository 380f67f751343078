"""Other gateways' settings, turned into ours: every field of theirs is carried over or named as not carried."""
