"""Words: vocabularies, prompt templates, noun phrases, and which phrase means which label.

- :mod:`~zsavs.language.vocabulary`: lists of labels, shipped or yours.
- :mod:`~zsavs.language.label_lists`: labels out of a text: lines, bullets, one line, JSON, tables.
- :mod:`~zsavs.language.word_forms`: words in one form, whatever their case, hyphens, article and number.
- :mod:`~zsavs.language.meanings`: which labels mean the same.
- :mod:`~zsavs.language.prompts`: prompt templates, and the ensemble over them.
- :mod:`~zsavs.language.noun_phrases`: the noun phrases of a caption.
- :mod:`~zsavs.language.sound_sources`: the visible source of a sound that a tagger or a captioner names.
- :mod:`~zsavs.language.label_sets`: the classes of the benchmarks.
- :mod:`~zsavs.language.label_maps`: from free phrases to those classes, and to a label map.
"""
