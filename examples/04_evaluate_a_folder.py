"""Score every strategy on a folder of images, audio files and masks.

python examples/04_evaluate_a_folder.py            # makes a folder of toy scenes first
python examples/04_evaluate_a_folder.py DIR base   # your img/ wav/ gt_seg/, after: zsavs download base
"""

import sys
import tempfile
from pathlib import Path

import soundfile
from PIL import Image

from zsavs.build import strategies_of
from zsavs.datasets.folder import Folder
from zsavs.evaluation import Plan, evaluate
from zsavs.evaluation.summary import table
from zsavs.testing import toy


def write_toy_folder(root: Path, count: int = 6) -> None:
    """Scenes of two colours, every third with an off-screen sound."""
    for part in ("img", "wav", "gt_seg"):
        (root / part).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        sounding = "green" if number % 3 == 0 else "red"
        sample, target = toy.scene(visible=("red", "blue"), sounding=(sounding,), seed=number)
        Image.fromarray(sample.image).save(root / "img" / f"{number:03d}.png")
        soundfile.write(root / "wav" / f"{number:03d}.wav", sample.audio.waveform.T, sample.audio.sample_rate_hz)
        Image.fromarray(target).save(root / "gt_seg" / f"{number:03d}.png")


if len(sys.argv) > 2:
    root, preset = Path(sys.argv[1]), sys.argv[2]
else:
    root, preset = Path(tempfile.mkdtemp()), "toy"
    write_toy_folder(root)

report = evaluate(Folder(root), Plan(strategies=tuple(strategies_of(preset)), preset=preset))
print(table(report))
