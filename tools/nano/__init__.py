"""Recipes of the nano models: each trained on its own pairwise task, none on audio together with masks."""
