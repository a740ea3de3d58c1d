"""Segmenters around other segmenters."""
