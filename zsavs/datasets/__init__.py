"""Data sets: each yields ``(AVSample, target)``, and a pipeline sees only the first."""
