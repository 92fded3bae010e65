"""From the layers of a spec to a Keras model."""
