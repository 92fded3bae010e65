"""Exports trained models to other formats, and compares each with Keras."""

from nnrun.exporting.formats import Format, check_packages, ending

__all__ = ["Format", "check_packages", "ending"]
