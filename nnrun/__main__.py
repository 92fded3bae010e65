"""`python -m nnrun` is the `nnrun` command."""

from nnrun.cli.entry import main

# A worker process imports this module too, under another name.
if __name__ == "__main__":
    main()
