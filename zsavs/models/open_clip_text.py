"""The text tower of an open_clip model, without the padding that none of its words can see.

A CLIP reads 77 tokens of which a label with its template fills about ten. In a causal tower a token sees only those
before it, so that what follows the end of the longest text changes no embedding, and costs most of the time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zsavs.models.device_copies import copy_to_device

if TYPE_CHECKING:
    import torch

__all__ = ["embed_tokens"]

#: Where these pool, there is a token of the text itself, whose id is above 0.
_POOLED_IN_THE_TEXT = ("argmax", "eos")


def embed_tokens(model: Any, tokens: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Embed K texts: (K, tokens) ids on the CPU, padded with 0 on the right, to (K, D) on the device, not normalised.

    Towers that see the padding (SigLIP's), or that add a token at the end (CoCa's), get the tokens as they are.
    """
    import torch

    name, tower = ("model.text.", model.text) if hasattr(model, "text") else ("model.", model)
    pool = getattr(tower, "text_pool_type", getattr(tower, "pool_type", None))
    mask = getattr(tower, "attn_mask", None)
    if mask is None or getattr(tower, "cls_emb", None) is not None or pool not in _POOLED_IN_THE_TEXT:
        return torch.as_tensor(model.encode_text(copy_to_device(tokens, device), normalize=False))
    length = int(tokens.ne(0).any(dim=0).nonzero().max()) + 1
    shorter = {
        f"{name}positional_embedding": tower.positional_embedding[:length],
        f"{name}attn_mask": mask[:length, :length],
    }
    ids = copy_to_device(tokens[:, :length], device)
    return torch.as_tensor(torch.func.functional_call(_encoder(model), shorter, (ids,)))


def _encoder(model: Any) -> torch.nn.Module:
    """A module whose call is the model's ``encode_text``."""
    import torch

    class TextEncoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, tokens: torch.Tensor) -> Any:
            return self.model.encode_text(tokens, normalize=False)

    return TextEncoder()
