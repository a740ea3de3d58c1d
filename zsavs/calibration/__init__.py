"""Calibration: similarities compared with what is usual for the model, and the decision what is heard at all.

- :mod:`~zsavs.calibration.bank`: embeddings of items that mean nothing in particular.
- :mod:`~zsavs.calibration.scorers`: similarities standardised against a bank.
- :mod:`~zsavs.calibration.abstention`: the decision what is heard at all: thresholds, and an empty query below them.
- :mod:`~zsavs.calibration.make_bank`: a bank of a user's own files, computed.
- :mod:`~zsavs.calibration.user_bank`: that bank, read and given to encoders.
"""
