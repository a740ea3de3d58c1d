"""Segmenters around other segmenters.

- :mod:`~zsavs.segmentation.closer`: each region segmented in the image and enlarged.
"""
