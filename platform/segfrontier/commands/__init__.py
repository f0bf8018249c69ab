"""The verbs of the command line, one file each; `segfrontier.cli` puts them together."""
