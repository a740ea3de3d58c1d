"""The connection strategies, from image and audio to a query: a short file each, a numbered step for each arrow.

The arrows are those of the figure that a strategy follows. Its answer is a :class:`~zsavs.types.Query`, one row for
each source that is heard. Its constructor takes components by the name of their role (``audio_text``, ``image_text``,
``joint``, ``captioner``, ``audio_tagger``, ``audio_captioner``, ``translator``, ``omni``), and the labels as
``vocabulary``, so that a preset can supply them, and settings with defaults.

- :mod:`~zsavs.strategies.audio_to_text`: AT-GDINO-SAM: audio to labels, labels to a detector.
- :mod:`~zsavs.strategies.cross_modal`: BAaV (d): the audio chooses among the noun phrases of the caption.
- :mod:`~zsavs.strategies.fused`: AV2T-SAM: f_CLIP times f_CLAP.
- :mod:`~zsavs.strategies.classify`: BAaV (a): audio tags to a detector.
- :mod:`~zsavs.strategies.caption`: BAaV (b): the audio's caption to a detector.
- :mod:`~zsavs.strategies.textual_inversion`: BAaV (c): the token embedding of a word W*, optimised to match the audio.
- :mod:`~zsavs.strategies.pivot`: AL-Ref-SAM2: tags pruned with what is seen, one box for each.
- :mod:`~zsavs.strategies.translated`: tags and an image's caption, translated into what to look for (OpenAVS).
- :mod:`~zsavs.strategies.omni`: a model that hears and sees names sources and judges regions (StereoBind).
- :mod:`~zsavs.strategies.joint_embedding`: OWOD-BIND: region embeddings against the audio embedding.
- :mod:`~zsavs.strategies.text_bridged`: TAViS: query decomposition and text-bridged alignment.
- :mod:`~zsavs.strategies.cofactorization`: TACO: audio and image tokens, co-factorised.
"""
