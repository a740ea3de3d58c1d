"""The text tower of PE-AV and PE-Audio: the state of a text's first token that their heads were trained on.

Meta's own code reads what comes out of the 22nd of ModernBERT's 28 layers. The published files have these 22 layers and
the norm that follows the 28th, which the heads never saw. transformers 5.0 left that norm out. Since 5.1 the last of a
model's hidden states is what its norm makes of it, and the answers to texts are others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

__all__ = ["first_tokens", "leave_out_last_norm"]


def leave_out_last_norm(text_model: Any) -> None:
    """Let the last of a text model's hidden states be what its last layer gives; doing it twice changes nothing."""
    text_model.config.tie_last_hidden_states = False


def first_tokens(text_model: Any, **inputs: torch.Tensor) -> torch.Tensor:
    """The state of the first token of each of K texts: (K, W), as the last layer gives it.

    Args:
        text_model: after :func:`leave_out_last_norm`.
        inputs: ids or token embeddings, and the attention mask.
    """
    state: torch.Tensor = text_model(**inputs, output_hidden_states=True).hidden_states[-1][:, 0]
    return state
