"""The experiment as a person writes it, parsed once into frozen types."""
