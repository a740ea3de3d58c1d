"""Videos of the toy world in the layout of AVSBench-MS3: five frames with discs, and hums that start and stop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from zsavs.testing import toy

__all__ = ["SOUNDS", "write_ms3"]

_RATE_HZ = 16_000
#: By video, what sounds when, by the numbers of the seconds; every frame shows a red disc and a blue one.
SOUNDS = {
    "a_red": {"red": range(5)},
    "b_both": {"red": range(5), "blue": range(1, 3)},
    "c_blue": {"blue": range(2, 5)},
    "d_off": {"yellow": range(5)},
}


def write_ms3(root: Path) -> Path:
    """Write the videos of :data:`SOUNDS` as the test split. A mask is that of what sounds in the frame's second."""
    data = root / "ms3_data"
    (data / "audio_wav" / "test").mkdir(parents=True)
    for number, (name, sounds) in enumerate(SOUNDS.items()):
        frames, masks = data / "visual_frames" / name, data / "gt_masks" / "test" / name
        frames.mkdir(parents=True)
        masks.mkdir(parents=True)
        for second in range(5):
            image, mask = _frame(number, second, [colour for colour, when in sounds.items() if second in when])
            Image.fromarray(image).save(frames / f"{name}.mp4_{second + 1}.png")
            Image.fromarray(mask).save(masks / f"{name}_{second + 1}.png")
        wave = np.zeros(5 * _RATE_HZ, np.float32)
        for colour, when in sounds.items():
            hum = toy.tone(colour, seconds=len(when), sample_rate_hz=_RATE_HZ).waveform[0]
            wave[when[0] * _RATE_HZ :][: len(hum)] += hum
        soundfile.write(data / "audio_wav" / "test" / f"{name}.wav", wave, _RATE_HZ)
    (root / "ms3_meta_data.csv").write_text("name,split\n" + "".join(f"{name},test\n" for name in SOUNDS))
    return root


def _frame(number: int, second: int, sounding: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """An image (48, 64, 3) and its mask, both uint8."""
    ys, xs = np.mgrid[:48, :64]
    image, mask = np.full((48, 64, 3), 128, np.uint8), np.zeros((48, 64), np.uint8)
    for colour, y, x in (("red", 14 + number, 14 + 3 * second), ("blue", 34, 50 - 3 * second)):
        disc = (ys - y) ** 2 + (xs - x) ** 2 < 81
        image[disc] = toy.COLOURS[colour]
        mask[disc] = 255 if colour in sounding else mask[disc]
    return image, mask
