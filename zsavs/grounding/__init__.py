"""Where each phrase could be: what the phrase detectors of :mod:`zsavs.models` share, and grounders without a model."""
