"""Schema, loading and validation of the configuration, and one YAML per environment."""
