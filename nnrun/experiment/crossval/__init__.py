"""Cross-validation: every fold is a run of its own, made by worker processes; never by this one."""
