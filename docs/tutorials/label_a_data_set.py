# %% [markdown]
# # Label a data set
#
# A folder of images with audio files of the same names goes in; a data set of masks and labels comes out. A job that
# was stopped goes on where it was.
#
# First a folder: eight scenes that ship with zsavs, written as anybody's files are.

# %%
import json
import shutil
import tempfile
from pathlib import Path

from PIL import Image

import zsavs
from zsavs.datasets.orchestra import Orchestra

root = Path(tempfile.mkdtemp())
(root / "clips").mkdir()
orchestra = Orchestra()
for name in list(orchestra)[:8]:
    for path in orchestra.files(name)[:2]:
        shutil.copy(path, root / "clips")
print(*sorted(path.name for path in (root / "clips").iterdir()))

# %% [markdown]
# An image goes with the audio file of its name. Where names do not say it, a manifest does; both are described in
# [Labelling a folder](../../labelling/).

# %%
report = zsavs.label(root / "clips", root / "labels", ["fused"], preset="nano")
print(report.done, "done,", report.empty, "with nothing in view that sounds,", report.failed, "failed")

# %% [markdown]
# The same call again computes nothing: every answer is there. That is how a job goes on after an interruption.

# %%
again = zsavs.label(root / "clips", root / "labels", ["fused"], preset="nano")
print(again.computed_now, "of", again.items, "computed now")

# %%
print(*sorted(path.name for path in (root / "labels").iterdir()), sep="\n")

# %% [markdown]
# ## Look at it
#
# A few answers are drawn, so that a person sees whether the labels can be trusted.

# %%
previews = sorted((root / "labels" / "previews").rglob("*.png")) + sorted((root / "labels" / "previews").rglob("*.jpg"))
Image.open(previews[0])

# %% [markdown]
# ## To other tools
#
# As COCO, which pycocotools, Detectron2, FiftyOne and others load; [Exports](../../exports/) has the other formats.

# %%
zsavs.export(root / "labels", "coco", root / "coco")
coco = json.loads((root / "coco" / "annotations.json").read_text())
print(len(coco["images"]), "images,", len(coco["annotations"]), "masks of", [c["name"] for c in coco["categories"]])
