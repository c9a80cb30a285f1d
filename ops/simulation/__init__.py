"""The whole system in one process: the real cores and the venue's core in the deterministic world."""
