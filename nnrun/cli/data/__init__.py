"""`nnrun data`: the files of the data sets, without an experiment."""
