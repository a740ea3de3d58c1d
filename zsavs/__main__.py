"""``python -m zsavs``: the command line."""

from zsavs.cli.main import entry

entry()
