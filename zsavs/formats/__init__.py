"""Results as files that other tools load. Knows results by what they have, and no model.

- :mod:`~zsavs.formats.items`: what all formats write: images and videos with their instances, and their names.
- :mod:`~zsavs.formats.read`: the results of a folder.
- :mod:`~zsavs.formats.names`: the formats by their names, as data.
- :mod:`~zsavs.formats.export`: one call for all formats.
- :mod:`~zsavs.formats.coco`: COCO instances.
- :mod:`~zsavs.formats.youtube_vis`: YouTube-VIS, for videos.
- :mod:`~zsavs.formats.yolo`: YOLO's polygons.
- :mod:`~zsavs.formats.label_studio`: predictions for Label Studio.
- :mod:`~zsavs.formats.cvat`: CVAT for images.
- :mod:`~zsavs.formats.png`: a PNG for each object, or an indexed one for each image, as DAVIS has it.
- :mod:`~zsavs.formats.supervision`: ``supervision.Detections``, in memory.
"""
