"""Keras experiments from one YAML file: train, record, repeat."""

__version__ = "0.2.0"
