"""Toy-size models of the real classes, with seeded random weights: for tests, examples and plug-in authors.

Every builder makes the classes that real checkpoints use (``transformers.ClapModel``, ``open_clip``'s own towers),
a few channels wide, in well under a second, with no file and no network. They know nothing: use them to check shapes,
wiring, determinism and error handling, never accuracy.
"""
