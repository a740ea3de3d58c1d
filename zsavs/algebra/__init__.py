"""The mathematics that strategies are made of: arrays in, arrays out, no model and no file.

- :mod:`~zsavs.algebra.directions`: rows of unit length, and what all texts of a space share.
- :mod:`~zsavs.algebra.common_space`: a closed-form common space of two text-aligned spaces.
- :mod:`~zsavs.algebra.factorization`: non-negative factorization of tokens.
- :mod:`~zsavs.algebra.joint_factorization`: two factorizations with one index, by gradient descent.
- :mod:`~zsavs.algebra.assignment`: which component of the audio belongs to which of the image.
- :mod:`~zsavs.algebra.log_linear_pooling`: two score lists over the same labels, made into one.
- :mod:`~zsavs.algebra.inversion`: textual inversion, the optimisation of a word's vector.
"""
