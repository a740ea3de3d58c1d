"""Grounders without a model of their own: region proposals for the phrases of a query.

- :mod:`~zsavs.grounding.segment_proposals`: class-agnostic regions, from a segmenter asked on a grid of points.
- :mod:`~zsavs.grounding.object_proposals`: class-agnostic regions, from a detector asked for generic phrases.
- :mod:`~zsavs.grounding.peaks`: regions at the peaks of the maps that a strategy gives.
- :mod:`~zsavs.grounding.refined_boxes`: a detector's boxes, tightened by masks.
- :mod:`~zsavs.grounding.full_frame`: the whole image.

What these are made of:

- :mod:`~zsavs.grounding.class_agnostic`: regions of an image, proposed for every phrase.
- :mod:`~zsavs.grounding.point_segmenter`: segmenters that give the mask at a point.
- :mod:`~zsavs.grounding.detector_wrapper`: a grounder around a detector.
- :mod:`~zsavs.grounding.mask_boxes`: tight boxes of masks.
- :mod:`~zsavs.grounding.checks`: checks of settings and parts.
"""
