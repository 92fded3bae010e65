"""A short trial of an experiment: one epoch on a few rows, and every file read back."""
