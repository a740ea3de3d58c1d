"""Checkpoints as their authors publish them, one file each, read as the classes of transformers that adapters use.

What the file says is read out of the shapes of its weights; what it does not say, as the number of heads, are the
published settings. Every weight has to find its place. The answers are those of the authors' own packages, as
``tests/golden/native`` holds them (``tools/native``).

- :mod:`~zsavs.models.native.naming`: from the names of a file to those of transformers.
- :mod:`~zsavs.models.native.building`: a model of a file's weights, without gaps.
- :mod:`~zsavs.models.native.families`: whose file it is, by the names in it.
- :mod:`~zsavs.models.native.words`: the tokenizer that a file lacks.
- :mod:`~zsavs.models.native.sam2`: Meta's ``sam2_hiera_*.pt`` and ``sam2.1_hiera_*.pt``.
- :mod:`~zsavs.models.native.grounding_dino`: IDEA's ``groundingdino_swint_ogc.pth`` and ``..._swinb_cogcoor.pth``.
- :mod:`~zsavs.models.native.clap`: LAION's ``630k-*.pt`` and ``music_*.pt``.
"""
