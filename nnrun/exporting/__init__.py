"""A trained model in the formats of other programs, each run once and held against Keras."""

from nnrun.exporting.formats import Format, check_packages, ending

__all__ = ["Format", "check_packages", "ending"]
