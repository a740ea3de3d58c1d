"""The error of a test that reaches for a network."""

from __future__ import annotations


class NetworkTouchedError(AssertionError):
    """A test, or what it runs, tried to reach a network."""
