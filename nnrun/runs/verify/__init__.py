"""Whether a run folder is as it was written, and whether the run can be repeated to the bit."""
