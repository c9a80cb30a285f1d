"""Pure arithmetic that more than one room uses."""
