"""Calibration: similarities standardised against what is usual for the model, and the decision what is heard at all.

- :mod:`~zsavs.calibration.bank`: banks of embeddings, synthetic or shipped with an encoder.
- :mod:`~zsavs.calibration.scorers`: similarities standardised against a bank.
- :mod:`~zsavs.calibration.heard`: the windows of what is audible, their evidence pooled over time, and when.
- :mod:`~zsavs.calibration.tags`: an audio tagger's labels that are heard, and when.
- :mod:`~zsavs.calibration.abstention`: the decision what is heard at all: thresholds, and an empty query below them.
- :mod:`~zsavs.calibration.content_free`: for models asked in words, their windows, and audio that says nothing.
- :mod:`~zsavs.calibration.make_bank`: a bank computed from a user's own files.
- :mod:`~zsavs.calibration.user_bank`: that bank, read and given to encoders.
"""
