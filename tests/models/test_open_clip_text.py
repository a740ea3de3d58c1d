"""The text tower reads no more tokens than the longest text has, where that changes no embedding."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from open_clip.model import CLIP, CLIPVisionCfg, CustomTextCLIP

from zsavs.models.open_clip_text import embed_tokens

_VISION = CLIPVisionCfg(layers=1, width=64, patch_size=16, image_size=32, head_width=32)
_TEXT: dict[str, Any] = {"context_length": 20, "vocab_size": 60, "width": 32, "heads": 2, "layers": 2}
#: A start, words, an end (the highest id), and padding.
_TOKENS = torch.tensor([[1, 7, 59, 0, 0] + [0] * 15, [1, 9, 7, 8, 59] + [0] * 15])


def model(kind: type[torch.nn.Module], **text: Any) -> Any:
    torch.manual_seed(0)
    return kind(16, _VISION, {**_TEXT, **text}).eval()


@pytest.mark.parametrize(
    ("kind", "text", "read"),
    [
        (CLIP, {}, 5),
        (CLIP, {"pool_type": "eos", "eos_id": 59}, 5),
        (CustomTextCLIP, {}, 5),
        (CustomTextCLIP, {"no_causal_mask": True, "pool_type": "last"}, 20),
        (CustomTextCLIP, {"pool_type": "last"}, 20),
        (CustomTextCLIP, {"embed_cls": True, "pool_type": "last"}, 20),
    ],
    ids=["clip", "eos", "tower of its own", "sees the padding", "pools the last", "adds a token"],
)
def test_embeddings_are_those_of_all_tokens(kind: type[torch.nn.Module], text: dict[str, Any], read: int) -> None:
    clip = model(kind, **text)
    lengths: list[int] = []
    clip.get_submodule("text" if hasattr(clip, "text") else "").token_embedding.register_forward_pre_hook(
        lambda _, args: lengths.append(args[0].shape[1])
    )
    with torch.inference_mode():
        got, want = embed_tokens(clip, _TOKENS, torch.device("cpu")), clip.encode_text(_TOKENS, normalize=False)
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)
    assert lengths == [read, 20]
    assert not torch.allclose(want[0], want[1], atol=1e-3), "texts that give one embedding would show nothing"


def test_a_text_that_fills_the_context_is_read_whole() -> None:
    clip = model(CLIP)
    full = torch.tensor([[1] + [5] * 18 + [59]])
    with torch.inference_mode():
        torch.testing.assert_close(
            embed_tokens(clip, full, torch.device("cpu")), clip.encode_text(full), atol=1e-6, rtol=1e-5
        )
