"""Segmenters that are built around other segmenters, or around none.

- :mod:`~zsavs.segmentation.enlarged_crops`: each region segmented in the whole image and in an enlarged crop.
- :mod:`~zsavs.segmentation.grounder_masks`: the masks that the grounder gave, where it gave any.
"""
