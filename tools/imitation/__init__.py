"""Checkpoints written by the old releases that wrote the published ones, shrunk: tools/imitation/README.md."""
