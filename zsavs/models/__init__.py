"""The frozen models, one file for each family, behind the verbs of :mod:`zsavs.protocols`.

An adapter is built from parts (``ClapEncoder(model, feature_extractor, tokenizer)``) or loaded from a checkpoint
(``ClapEncoder.load("laion/clap-htsat-unfused")``); both give the same object. No adapter imports another one.
"""
