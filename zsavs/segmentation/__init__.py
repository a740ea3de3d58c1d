"""Segmenters that are built around other segmenters.

- :mod:`~zsavs.segmentation.closer`: each region segmented in the whole image and in an enlarged crop.
"""
