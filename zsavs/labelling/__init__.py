"""Labelling: a folder or a manifest in, a data set of answers out; goes on where it was stopped.

- :mod:`~zsavs.labelling.items`: what is asked about: an item, and what was refused and why.
- :mod:`~zsavs.labelling.folder`: the items of a folder, paired by name.
- :mod:`~zsavs.labelling.manifest`: the items of a table.
- :mod:`~zsavs.labelling.inputs`: either of them, and how many of what there are.
- :mod:`~zsavs.labelling.read`: items as they are read before the models are asked.
- :mod:`~zsavs.labelling.labeller`: the work: items to rows, on any machine.
- :mod:`~zsavs.labelling.rows`: rows back to results.
- :mod:`~zsavs.labelling.engine`: what carries the work, by its name.
- :mod:`~zsavs.labelling.local`: the loop over chunks of items in this process.
- :mod:`~zsavs.labelling.on_ray`: actors on a Ray cluster.
- :mod:`~zsavs.labelling.memory`: the most memory that a process has had.
- :mod:`~zsavs.labelling.parts`: finished chunks on the disk, and whose rows are known.
- :mod:`~zsavs.labelling.shards`: the rows in the order of the items, in files of a size.
- :mod:`~zsavs.labelling.parquet`: such a file as Parquet.
- :mod:`~zsavs.labelling.previews`: cards of a sample of the items.
- :mod:`~zsavs.labelling.job`: a whole job.
"""

from zsavs.labelling.inputs import read_inputs
from zsavs.labelling.job import label

__all__ = ["label", "read_inputs"]
