"""Segmenters that are built around other segmenters.

- :mod:`~zsavs.segmentation.enlarged_crops`: each region segmented in the whole image and in an enlarged crop.
"""
