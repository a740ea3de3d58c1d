# %% [markdown]
# # First mask
#
# One image, one sound: which pixels make it? This notebook asks preset `nano`, whose tiny models ship with zsavs and
# know a world of emoji and real instruments. For photographs fetch other models once, `zsavs download pocket`, and
# write `preset="pocket"` below.

# %%
from IPython.display import Audio

import zsavs
from zsavs.datasets.orchestra import Orchestra

orchestra = Orchestra()  # small scenes with exact masks, in groups
for name, about in orchestra.groups.items():
    print(f"{name:18} {about}")

# %% [markdown]
# A scene of the group `two`: two things sound, at once, and others are silent. Listen first.

# %%
item = orchestra.load("two_000")
sample = item.sample
Audio(sample.audio.mono(), rate=sample.audio.sample_rate_hz)

# %% [markdown]
# A pipeline is a strategy (what to listen for, and where to look) and the models of a preset. To build it loads the
# models; then it answers as often as you like.

# %%
pipe = zsavs.build_pipeline("fused", preset="nano")
result = pipe(sample)
result

# %% [markdown]
# ## What is in an answer
#
# One mask, label and score for each thing that sounds; `result.mask` is all of them together.

# %%
for phrase, score, mask in zip(result.phrases, result.scores, result.masks, strict=True):
    print(f"{phrase}: score {score:.2f}, {mask.sum()} of {mask.size} pixels")

# %% [markdown]
# What was *heard* is kept apart from what was found: a thing can be heard and not seen.

# %%
for phrase, weight in zip(result.queries.phrases, result.queries.weights, strict=True):
    print(f"heard {phrase}, weight {weight:.2f}")

# %% [markdown]
# The scene has an exact mask, so we can say how good this is: J is intersection over union.

# %%
from zsavs.metrics.functional import jaccard

print(f"J = {jaccard(result.mask, item.target.mask):.2f}")

# %% [markdown]
# ## Nothing is an answer
#
# The same image with silence, and with the sound of something that is not in view.

# %%
silent = pipe(orchestra.load("silence_000").sample)
off_screen = pipe(orchestra.load("off_screen_000").sample)
print(len(silent), "objects in silence;", len(off_screen), "off screen, where it heard", off_screen.queries.phrases)

# %% [markdown]
# ## Keep it
#
# An overlay, the mask, the score map and a JSON file that `zsavs.AVSResult.load` reads back.

# %%
import tempfile

files = result.save(tempfile.mkdtemp(), "two")
print(*(path.name for path in files.values()))

# %% [markdown]
# With files of your own it is one line, `zsavs.segment("dog.jpg", "bark.wav")`; on the command line, `zsavs segment
# dog.jpg bark.wav`. Next: [your video](../your_video/), or [compare strategies](../compare_strategies/).
