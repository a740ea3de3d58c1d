"""``python -m zsavs``: the command line."""

from zsavs.cli import entry

entry()
