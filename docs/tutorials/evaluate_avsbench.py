# %% [markdown]
# # Evaluate AVSBench
#
# `zsavs eval` reads AVSBench as it is distributed. The data set needs a form to be signed, so this notebook makes a
# tiny folder of the same shape: two videos of S4 with five frames each, from scenes that ship with zsavs. With the real
# one, only the path changes; and the models, as those of `nano` know emoji and nothing else.

# %%
import csv
import tempfile
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from zsavs.datasets.avsbench import S4
from zsavs.datasets.orchestra import Orchestra
from zsavs.evaluation import Plan, evaluate
from zsavs.evaluation.summary import table

root = Path(tempfile.mkdtemp())
data = root / "s4_data"
orchestra = Orchestra()
rows = []
for number, name in enumerate(["single_000", "single_001"]):
    item = orchestra.load(name)
    label = item.target.sources[0]
    video, place = f"{label}_{number}", ("test", label)
    rows.append((video, 0, label, "test"))
    frames, masks, audio = (data / part / Path(*place) for part in ("visual_frames", "gt_masks", "audio_wav"))
    for folder in (frames / video, masks / video, audio):
        folder.mkdir(parents=True, exist_ok=True)
    for k in range(1, 6):
        Image.fromarray(item.sample.image).save(frames / video / f"{video}_{k}.png")
        Image.fromarray((255 * item.target.mask).astype(np.uint8)).save(masks / video / f"{video}_{k}.png")
    five_seconds = np.resize(item.sample.audio.mono(), 5 * item.sample.audio.sample_rate_hz)
    soundfile.write(audio / f"{video}.wav", five_seconds, item.sample.audio.sample_rate_hz)
with (root / "s4_meta_data.csv").open("w", newline="", encoding="utf-8") as file:
    csv.writer(file).writerows([("name", "start", "category", "split"), *rows])
print(*sorted(str(path.relative_to(root)) for path in root.rglob("*_1.*")), sep="\n")

# %% [markdown]
# Before a long run, `zsavs data check s4 DIR` says what is missing. Then:

# %%
s4 = S4(root)
plan = Plan(strategies=("fused", "classify"), preset="nano", batch_size=5)
report = evaluate(s4, plan, out=root / "run")
print(table(report))

# %% [markdown]
# ## What the rows say
#
# - *recorded* is the benchmark. *silent* and *shuffled* are the same images without their sound: a strategy whose J
#   stays high there does not listen.
# - J and F at 0.5 have nothing that could be tuned: compare strategies by them. The suite `avsbench` has the numbers of
#   the papers; [Which number is which](../../metrics/) says which is comparable with what.
#
# The run is kept in a folder. The same call goes on where it was stopped, and here has nothing left to do:

# %%
again = evaluate(s4, plan, out=root / "run")
print(again["rows"] == report["rows"])
print(*sorted(path.name for path in (root / "run").iterdir()), sep="\n")

# %% [markdown]
# `report.html` has curves, classes, best and worst cases. On the command line the whole of it is `zsavs eval --dataset
# s4 --root DIR --preset base --out run`; [Evaluation](../../evaluation/) says more.
