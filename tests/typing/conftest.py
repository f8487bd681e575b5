"""What is here is read by type checkers, in `make lint`, and never run."""

collect_ignore_glob = ["*.py"]
