"""The connection strategies: one short file for each, one numbered step for each arrow of its figure.

A strategy hears and looks, and answers with a :class:`~zsavs.types.Query`. Its constructor takes parts by the name
of their role (``audio_text``, ``image_text``, ``captioner``, ``audio_tagger``, ``audio_captioner``), and the labels as
``vocabulary``, so that a preset can supply them, and settings with defaults.
"""
