"""Data sets: each yields items of a sample and its target, and a pipeline sees only the first.

::

    data = S4("/data", split="test")                 # or zsavs.registry.find_component("dataset", "s4")
    for item in data:                                # the ids, in order
        sample, target = data.load(item)
        suite.update(pipe(sample).score_map, target.mask)

Opening a data set reads its list once and decodes nothing; memory grows with the list and not with the images.

- :mod:`~zsavs.datasets.base`: what every data set is.
- :mod:`~zsavs.datasets.avsbench`: AVSBench-object, S4 and MS3.
- :mod:`~zsavs.datasets.avss`: AVSBench-semantic.
- :mod:`~zsavs.datasets.aviseg`: AVISeg, sounding instances in long videos.
- :mod:`~zsavs.datasets.ref_avs`: the null set of Ref-AVS.
- :mod:`~zsavs.datasets.vpo`: VPO.
- :mod:`~zsavs.datasets.is3`: IS3.
- :mod:`~zsavs.datasets.avsbench_robust`: AVSBench-Robust.
- :mod:`~zsavs.datasets.localisation`: the lists of SSLalignment.
- :mod:`~zsavs.datasets.orchestra`: composed scenes that ship with zsavs.
- :mod:`~zsavs.datasets.orchestra_motion`: composed clips of things that move and sound by a schedule; they ship.
- :mod:`~zsavs.datasets.scene_list`: the lists of the orchestra, scenes and clips.
- :mod:`~zsavs.datasets.photographs`: two photographs with audio files that ship with zsavs; no data set.
- :mod:`~zsavs.datasets.coco_esc`: images of COCO with audio clips of ESC-50, as tools/pairs pairs them.
- :mod:`~zsavs.datasets.folder`: your own files in a flat folder.
- :mod:`~zsavs.datasets.video_frames`: the base of benchmarks of videos, annotated frames with their audio.
- :mod:`~zsavs.datasets.image_audio_pairs`: the base of benchmarks of images, each with an audio file and a mask.
- :mod:`~zsavs.datasets.layout`: a benchmark's folders.
- :mod:`~zsavs.datasets.metadata`: a benchmark's lists of items, CSV and JSON.
- :mod:`~zsavs.datasets.masks`: frames, target masks and label maps, read and resized.
- :mod:`~zsavs.datasets.audio`: audio files, decoded once, cut and mixed.
- :mod:`~zsavs.datasets.check`: whether a data set is complete.
"""

from zsavs.datasets.base import Counts, Dataset, Item, Reader, Target

__all__ = ["Counts", "Dataset", "Item", "Reader", "Target"]
