"""Compiles, fits and evaluates a Keras model."""
