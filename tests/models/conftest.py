"""What several files of these tests share: ImageBind's golden towers, and folders of open_clip models."""

from __future__ import annotations

from pathlib import Path

import open_clip
import pytest
import torch
from adapter_helpers import into_hub_cache
from imagebind_golden import GOLDEN, filled
from open_clip_folders import CLIP_LIKE, SIGLIP_LIKE, export

from zsavs.models.imagebind import ImageBind
from zsavs.testing.tiny.tokenizers import clip_tokenizer


@pytest.fixture(scope="module")
def exact() -> ImageBind:
    """The golden towers in float64."""
    return filled(GOLDEN["config"], torch.float64)


@pytest.fixture(scope="module")
def single() -> ImageBind:
    """The golden towers in float32."""
    return filled(GOLDEN["config"])


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(CLIP_LIKE, tmp_path_factory.mktemp("clip"))


@pytest.fixture(scope="module")
def siglip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export(SIGLIP_LIKE, tmp_path_factory.mktemp("siglip"), clip_tokenizer())


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def toy_tag(clip_folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An architecture "Toy-8" with a tag "toy2b" in open_clip's lists, its weights in the hub cache."""
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "Toy-8", CLIP_LIKE["model_cfg"])
    published = {"hf_hub": "toy/CLIP-toy/", **CLIP_LIKE["preprocess_cfg"], "resize_mode": "squash"}
    gelu = {**published, "quick_gelu": True}
    named = {**published, "hf_hub": "toy/CLIP-toy/special.bin"}
    monkeypatch.setitem(
        open_clip.pretrained._PRETRAINED,
        "Toy-8",
        {
            "toy2b": published,
            "toy2b_gelu": gelu,
            "toy2b_named": named,
            "elsewhere": {"url": "https://example.org/w.pt"},
        },
    )
    return into_hub_cache(clip_folder, "toy/CLIP-toy", cache)
