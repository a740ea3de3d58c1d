"""Objects through the frames of a video: which of one frame is which of another.

- :mod:`~zsavs.tracking.associate`: tracking by detection.
- :mod:`~zsavs.tracking.propagate`: tracking by a video segmenter, from pivots.
- :mod:`~zsavs.tracking.untracked`: none.
- :mod:`~zsavs.tracking.identities`: one id for each object, from frame to frame and from stretch to stretch.
- :mod:`~zsavs.tracking.matching`: the rule by which objects that are seen are those that are known.
- :mod:`~zsavs.tracking.appearance`: what is kept of an object when it was last seen.
"""
