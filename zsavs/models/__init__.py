"""The frozen models, one file for each family, behind the verbs of :mod:`zsavs.protocols`.

An adapter is built from parts (``ClapEncoder(model, feature_extractor, tokenizer)``) or loaded from a checkpoint
(``ClapEncoder.load("laion/clap-htsat-unfused")``); both give the same object. No adapter imports another one.

- :mod:`~zsavs.models.runtime`: device, dtype and loading, for every adapter.
- :mod:`~zsavs.models.checkpoints`: a transformers model from a folder, without gaps.
- :mod:`~zsavs.models.inputs`: checks of phrases, audio clips and images, for every adapter.
- :mod:`~zsavs.models.batching`: many items through a model in batches that fit, for every adapter.
- :mod:`~zsavs.models.transfer`: tensors to a device and back, for every adapter.
- :mod:`~zsavs.models.outputs`: what a model returned, without NaN and as unit rows, for every adapter.
- :mod:`~zsavs.models.text_memo`: text embeddings computed once for each phrase, for every encoder.
- :mod:`~zsavs.models.detection`: boxes and scores to proposals, for every detector.
- :mod:`~zsavs.models.pseudo_words`: text towers that read words given as vectors.
- :mod:`~zsavs.models.compiled`: torch.compile for the towers of a pipeline.
- :mod:`~zsavs.models.clap`: CLAP, audio and text.
- :mod:`~zsavs.models.open_clip`: CLIP and its relatives, images and text.
- :mod:`~zsavs.models.open_clip_files`: the files that describe an open_clip model.
- :mod:`~zsavs.models.open_clip_tokens`: the tokens that an open_clip model's embedding is pooled from.
- :mod:`~zsavs.models.imagebind`: ImageBind, a joint space.
- :mod:`~zsavs.models.pe_av`: PE-AV, a joint space.
- :mod:`~zsavs.models.ast`: AST, an audio tagger.
- :mod:`~zsavs.models.blip`: BLIP, an image captioner.
- :mod:`~zsavs.models.whisper_captioner`: Whisper, an audio captioner.
- :mod:`~zsavs.models.grounding_dino`: Grounding DINO, a phrase detector.
- :mod:`~zsavs.models.owlv2`: OWLv2, a phrase detector.
- :mod:`~zsavs.models.sam2`: SAM 2, a segmenter.
"""
