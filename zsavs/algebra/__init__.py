"""The mathematics that strategies are made of: arrays in, arrays out, no model and no file.

- :mod:`~zsavs.algebra.directions`: rows of unit length, and the part that all texts of a space share.
- :mod:`~zsavs.algebra.common_space`: a closed-form common space of two text-aligned spaces.
- :mod:`~zsavs.algebra.factorization`: non-negative factorization of tokens.
- :mod:`~zsavs.algebra.joint_factorization`: two factorizations with one index, by gradient descent.
- :mod:`~zsavs.algebra.assignment`: one-to-one pairs of the components of audio and image.
- :mod:`~zsavs.algebra.log_linear_pooling`: two score lists over the same labels, made into one.
- :mod:`~zsavs.algebra.inversion`: textual inversion, the optimisation of a token embedding.
"""
