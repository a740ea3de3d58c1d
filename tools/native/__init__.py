"""Small checkpoints by the authors' own packages, and what those make of them: ``python -m tools.native OUT``."""
