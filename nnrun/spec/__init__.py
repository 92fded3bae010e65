"""The experiment as written in YAML, parsed once into frozen types."""
