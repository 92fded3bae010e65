"""`python -m nnrun` is the `nnrun` command."""

from nnrun.cli.main import main

main()
