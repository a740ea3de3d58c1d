"""Grounders without a model of their own: region proposals for the phrases of a query.

- :mod:`~zsavs.grounding.proposals`: class-agnostic region proposals.
- :mod:`~zsavs.grounding.peaks`: regions at the peaks of a map.
- :mod:`~zsavs.grounding.refined`: a detector's boxes, tightened by masks.
- :mod:`~zsavs.grounding.full_frame`: the whole image.
"""
