"""Swap one stage and keep the others, weights and all.

python examples/02_swap_a_component.py
"""

from dataclasses import replace

import zsavs
from zsavs.grounding.full_frame import FullFrame
from zsavs.testing import toy

sample, target = toy.scene(visible=("red", "blue", "green"), sounding=("green",))
pipe = zsavs.build_pipeline("audio_to_text", preset="toy")
without_detector = replace(pipe, grounder=FullFrame())  # the whole image is every phrase's box

for name, candidate in {"with a detector": pipe, "without": without_detector}.items():
    result = candidate(sample)
    agreement = (result.mask == target).mean()
    print(f"{name}: {result}, {agreement:.1%} of the pixels right")
