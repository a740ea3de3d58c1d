# %% [markdown]
# # Compare strategies
#
# A strategy is how a method gets from a sound to a place. This notebook asks all of them the same question, encodes
# every image and sound once, and checks who really listens.

# %%
import zsavs
from zsavs.build import strategies_of
from zsavs.datasets.orchestra import Orchestra
from zsavs.metrics.functional import jaccard

strategies = strategies_of("nano")  # that it has the parts for
strategies.remove("textual_inversion")  # takes seconds a sample
print(*strategies)

# %%
orchestra = Orchestra()
names = ["single_000", "two_000", "off_screen_000"]
items = [orchestra.load(name) for name in names]
results = zsavs.compare([item.sample for item in items], strategies, preset="nano")

# %% [markdown]
# J where something in view sounds; where nothing does, whether nothing was found.

# %%
print(f"{'':18}", *(f"{name:>15}" for name in names))
for strategy, answers in results.items():
    told = [
        f"{jaccard(answer.mask, item.target.mask):.2f}" if item.target.mask.any() else f"{len(answer)} found"
        for item, answer in zip(items, answers, strict=True)
    ]
    print(f"{strategy:18}", *(f"{text:>15}" for text in told))

# %% [markdown]
# An answer shows itself:

# %%
results["fused"][1]

# %%
results["joint_embedding"][1]

# %% [markdown]
# ## Who listens?
#
# A method that marks whatever stands out scores well on most benchmarks without hearing anything. So give each image
# the sound of another scene: what is left of J is what coincidence explains.

# %%
from dataclasses import replace
from statistics import fmean

scenes = [orchestra.load(f"single_{number:03d}") for number in range(4)]
sounds = [item.sample.audio for item in scenes]
own = [item.sample for item in scenes]
wrong = [replace(sample, audio=other) for sample, other in zip(own, sounds[1:] + sounds[:1], strict=True)]
chosen = ["fused", "classify", "text_bridged"]
for heard, samples in (("own", own), ("another's", wrong)):
    for strategy, answers in zsavs.compare(samples, chosen, preset="nano").items():
        j = fmean(jaccard(answer.mask, item.target.mask) for answer, item in zip(answers, scenes, strict=True))
        print(f"{strategy:14} with {heard:9} sound: J {j:.2f}")

# %% [markdown]
# `zsavs compare dog.jpg bark.wav` does this on the command line and writes one image with all answers. `zsavs eval`
# does it over a data set: [Evaluate AVSBench](../evaluate_avsbench/). The [strategies](../../strategies/) have a page
# each.
