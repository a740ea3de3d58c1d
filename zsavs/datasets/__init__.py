"""Data sets: each yields items of a sample and its target, and a pipeline sees only the first.

::

    data = S4("/data", split="test")                 # or zsavs.registry.find_component("dataset", "s4")
    for item in data:                                # the ids, in order
        sample, target = data.load(item)
        suite.update(pipe(sample).score_map, target.mask)

Opening a data set reads its list once and decodes nothing; memory grows with the list and not with the images.
"""

from zsavs.datasets.base import Counts, Dataset, Item, Reader, Target

__all__ = ["Counts", "Dataset", "Item", "Reader", "Target"]
