"""A proxy on loopback between our actors and the venue that does to their bytes what networks do."""
