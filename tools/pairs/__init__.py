"""Pairs of an image of COCO and an audio clip of ESC-50, built from the official downloads."""
