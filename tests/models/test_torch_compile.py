"""Towers that torch.compile is given are real parts of the models, do the work, and answer the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from adapter_uses import USES

import zsavs
from zsavs import testing
from zsavs.models.torch_compile import compile_towers
from zsavs.testing.tiny.segmenters import tiny_sam2
from zsavs.types import AVSample, Proposals

SAMPLES = testing.example_samples()
BOXES = [Proposals(np.array([[2, 2, 30, 30]], np.float32), np.ones(1, np.float32), np.zeros(1, np.int64))] * len(
    SAMPLES
)


@pytest.mark.parametrize("name", USES)
def test_every_tower_is_called_when_its_component_is_used(name: str) -> None:
    make, uses = USES[name]
    part = make()
    called: list[str] = []
    for tower in part.towers:
        # What compile() replaces is what calling the module runs, hooks among it; a bare .forward() would pass it by.
        part.model.get_submodule(tower).register_forward_hook(lambda *_, tower=tower: called.append(tower))
    for ask in uses.values():
        ask(part)
    assert set(called) == set(part.towers) != set()


def test_masks_stay_the_same_and_nothing_is_compiled_twice() -> None:
    segmenter = tiny_sam2()
    graphs: list[torch.fx.GraphModule] = []

    def backend(graph: torch.fx.GraphModule, _: list[torch.Tensor]) -> Callable[..., Any]:
        graphs.append(graph)
        return graph.forward

    before = segmenter.segment(SAMPLES[:1], BOXES[:1])
    assert compile_towers(segmenter, backend=backend) == ["Sam2Model.vision_encoder"]
    (fresh,) = (AVSample(sample.image.copy(), sample.audio) for sample in SAMPLES[:1])
    after = segmenter.segment([fresh], BOXES[:1])
    assert graphs
    np.testing.assert_allclose(after[0], before[0], rtol=0, atol=1e-4)
    assert compile_towers(segmenter) == []


def test_a_pipeline_finds_what_its_parts_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, **options: None)
    pipe = zsavs.build_pipeline("fused", preset="nano", device="cpu", decomposition="windows", stereo=True)
    towers = ("ClapModel.audio_model", "CLIP.visual", "Owlv2ForObjectDetection.owlv2.vision_model")
    assert set(pipe.compile(mode="reduce-overhead")) == {*towers, "Sam2Model.vision_encoder"}


def test_a_pipeline_without_models_has_nothing_to_compile() -> None:
    assert zsavs.build_pipeline("audio_to_text", preset="toy").compile() == []
