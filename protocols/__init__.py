"""What may be said, and the arithmetic of the vocabulary. No I/O, no clock, no randomness."""
