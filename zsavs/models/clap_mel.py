"""CLAP's log-mel spectrograms, of many windows at once and on the model's device.

What they hold is what transformers' ``ClapFeatureExtractor`` computes, which goes over the frames of a window one by
one, and takes longer for it than a GPU takes for the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from zsavs.models.device_copies import copy_to_device

if TYPE_CHECKING:
    import torch

__all__ = ["ClapMel"]

#: The least power of a mel band, in the extractor as well: -100 dB.
_LEAST_POWER = 1e-10


class ClapMel:
    """From windows no longer than the model's to its input features.

    Args:
        extractor: the checkpoint's ``ClapFeatureExtractor``, whose settings are taken.
        fusion: whether the model takes four spectrograms of a window, as a fusion checkpoint does. Nothing is longer
            than a window, so there is nothing to fuse, and all four are the same.
        device: where they are computed.
    """

    def __init__(self, extractor: Any, fusion: bool, device: torch.device) -> None:
        import torch

        # In double precision as the extractor's; Apple's GPUs have none.
        self.device = torch.device("cpu") if device.type == "mps" else device
        filters = extractor.mel_filters if fusion else extractor.mel_filters_slaney
        self._filters = torch.from_numpy(np.asarray(filters, np.float64).T.copy()).to(self.device)
        self._frame = torch.hann_window(extractor.fft_window_size, dtype=torch.float64).to(self.device)
        self.hop = int(extractor.hop_length)
        self.samples = int(extractor.nb_max_samples)
        self.padding = str(extractor.padding)
        self.copies = 4 if fusion else 1

    def filled(self, window: NDArray[np.float32]) -> torch.Tensor:
        """A window (T,), filled up to the model's length as the checkpoint was trained: (1, samples) float32."""
        import torch

        times = self.samples // len(window)
        if self.padding == "repeat":
            window = np.tile(window, times + 1)[: self.samples]
        elif self.padding == "repeatpad":
            window = np.tile(window, times)
        return torch.from_numpy(np.pad(window, (0, self.samples - len(window))).astype(np.float32))[None]

    def __call__(self, windows: Sequence[torch.Tensor]) -> torch.Tensor:
        """W windows of :meth:`filled`: (W, 1 or 4, frames, bands) float32, in dB, on the device."""
        import torch

        waves = copy_to_device(torch.cat(list(windows)), self.device, torch.float64)
        spectrum = torch.stft(
            waves, len(self._frame), self.hop, window=self._frame, center=True, pad_mode="reflect", return_complex=True
        )
        power = (self._filters @ spectrum.abs().square()).clamp(min=_LEAST_POWER)
        decibels = (10 * power.log10()).float().transpose(1, 2)[:, None]
        return decibels.expand(-1, self.copies, -1, -1)
