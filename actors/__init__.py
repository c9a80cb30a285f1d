"""One folder per actor."""
