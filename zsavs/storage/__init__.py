"""Files and memory: what is written, read back, remembered and fetched. Knows no model and no pipeline.

- :mod:`~zsavs.storage.files`: writing files complete or not at all, reading texts that somebody hands over.
- :mod:`~zsavs.storage.folder_lock`: a folder that one process writes to at a time.
- :mod:`~zsavs.storage.file_lock`: a lock on an open file, on any system.
- :mod:`~zsavs.storage.array_file`: reading arrays from files that somebody hands over.
- :mod:`~zsavs.storage.parquet`: Parquet files, a few rows at a time.
- :mod:`~zsavs.storage.memo`: what was computed for an object, for as long as that object lives.
- :mod:`~zsavs.storage.text_embedding_cache`: embeddings of texts, kept from one process to the next.
- :mod:`~zsavs.storage.rle`: masks as COCO's run lengths.
- :mod:`~zsavs.storage.packed_maps`: the masks and score map of a saved result.
- :mod:`~zsavs.storage.progress_bar`: how far something is, as a bar that fits a terminal and a notebook.
- :mod:`~zsavs.storage.prefetch`: the next value, made while the caller works on this one.
- :mod:`~zsavs.storage.isolation`: many values, of which a broken one costs itself alone.
- :mod:`~zsavs.storage.run_key`: states of files and weights, and the difference between a run's key then and now.
- :mod:`~zsavs.storage.source_code`: digests of components' source.
- :mod:`~zsavs.storage.weights`: cards of checkpoints, and where their files are.
- :mod:`~zsavs.storage.completeness`: whether a folder holds every file that a loader needs.
- :mod:`~zsavs.storage.download`: fetching checkpoints, from the network or a mirror.
- :mod:`~zsavs.storage.hub`: a repository on the hub, or on a mirror of it: what it lists, and its files.
- :mod:`~zsavs.storage.hub_errors`: what the hub's client raises, as errors that say what to do.
- :mod:`~zsavs.storage.single_file`: a checkpoint of one file, fetched whole and checked, and gone on with.
- :mod:`~zsavs.storage.partial`: what has come of a single file, and which file it is a part of.
"""
