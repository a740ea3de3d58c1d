"""The connection strategies: one short file for each, one numbered step for each arrow of its figure.

A strategy hears and looks, and answers with a :class:`~zsavs.types.Query`. Its constructor takes parts by the name
of their role (``audio_text``, ``image_text``, ``captioner``, ``audio_tagger``, ``audio_captioner``), and the labels as
``vocabulary``, so that a preset can supply them, and settings with defaults.

- :mod:`~zsavs.strategies.audio_to_text`: AT-GDINO-SAM: label the audio, detect the label.
- :mod:`~zsavs.strategies.cross_modal`: BAaV (d): the audio chooses among the noun phrases of the caption.
- :mod:`~zsavs.strategies.fused`: AV2T-SAM: CLIP times CLAP.
- :mod:`~zsavs.strategies.classify`: BAaV (a): audio tags, detected.
- :mod:`~zsavs.strategies.caption`: BAaV (b): audio caption, detected.
- :mod:`~zsavs.strategies.textual_inversion`: BAaV (c): a token embedding optimised to match the audio.
- :mod:`~zsavs.strategies.joint_embedding`: OWOD-BIND: regions that embed like the audio.
- :mod:`~zsavs.strategies.text_bridged`: TAViS: label texts lead from the audio to regions.
- :mod:`~zsavs.strategies.cofactorization`: TACO: components of audio and image tokens, paired.
"""
