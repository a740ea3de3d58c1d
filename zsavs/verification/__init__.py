"""Is that region what is heard: evidence for each region proposal, and the regions that are selected by it.

- :mod:`~zsavs.verification.clip`: rescoring by CLIP.
- :mod:`~zsavs.verification.joint`: rescoring in a joint space.
- :mod:`~zsavs.verification.region_embeddings`: embeddings of regions, each computed once.
- :mod:`~zsavs.verification.selection`: from evidence to selected regions.
"""
