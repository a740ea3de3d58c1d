"""An image and its sound to a map as TACO does: two factorisations with a shared index, by 1,800 steps of descent.

What its repository runs for a sample (Malard et al., arXiv 2412.01488), less the pixel decoder of FC-CLIP that makes
the last map finer: tokens of ConvNeXt-L at 764 pixels and of HTSAT, the 527 names of AudioSet as anchors, eight
components, in float32.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import full_size
import torch
from PIL import Image
from sound import ARCHITECTURE, WAVE, load_clap, load_clip
from stopwatch import measure
from torch.nn.functional import cross_entropy, interpolate, normalize

AUDIOSET = list(full_size.AUDIOSET)


def load(weights: Path) -> Any:
    (clap, extractor, tokenizer), (clip, preprocess) = load_clap(weights), load_clip(weights)
    import open_clip

    with torch.no_grad():
        photo = open_clip.get_tokenizer(ARCHITECTURE)([f"A photo of a {name}" for name in AUDIOSET])
        seen = torch.cat([normalize(clip.encode_text(part), dim=-1) for part in photo.split(64)])
        heard = []
        for start in range(0, len(AUDIOSET), 64):
            texts = [f"This is a sound of {name}" for name in AUDIOSET[start : start + 64]]
            heard.append(clap.get_text_features(**tokenizer(texts, padding=True, return_tensors="pt")).pooler_output)
    return clap, extractor, clip, preprocess, seen, normalize(torch.cat(heard), dim=-1)


def answer(models: Any, images: Sequence[str], phrases: Sequence[str]) -> list[Any]:
    clap, extractor, clip, preprocess, seen, heard = models
    masks = []
    for path in images:
        image = Image.open(path).convert("RGB")
        with torch.no_grad():
            inputs = extractor(WAVE, sampling_rate=48_000, return_tensors="pt")
            audio = clap.audio_model(**inputs).last_hidden_state[0].flatten(1).T.clamp(min=0)
            square = preprocess(image.resize((764, 764)))[None]
            features = clip.visual.trunk.forward_features(square)[0]
            grid = features.shape[1:]
            cells = clip.visual.trunk.forward_head(features.flatten(1).T[:, :, None, None])
            pixels = clip.visual.head(cells).clamp(min=0)
        torch.manual_seed(0)
        sides = []
        for tokens in (audio, pixels):
            rows = tokens[torch.randperm(len(tokens))[:8]].clone()
            sides.append((tokens, torch.randn(len(tokens), 8, requires_grad=True), rows.requires_grad_()))
        factors = [factor for _, inner, rows in sides for factor in (inner, rows)]
        descent = torch.optim.SGD(factors, lr=0.25)
        halving = torch.optim.lr_scheduler.StepLR(descent, 500, 0.5)
        for _ in range(1800):
            descent.zero_grad()
            loss, means = 0.0, []
            for tokens, inner, rows in sides:
                active = inner.sigmoid()
                loss = loss + (tokens - active @ rows).norm()
                means.append((active / active.sum(0)).T @ tokens)
            sound = normalize(clap.audio_projection(means[0]), dim=-1) @ heard.T * clap.logit_scale_a.exp()
            disagreement = cross_entropy(normalize(means[1], dim=-1) @ seen.T, sound.softmax(1), reduction="none")
            (loss + 125 * disagreement.min()).backward()
            descent.step()
            halving.step()
            with torch.no_grad():
                for _, _, rows in sides:
                    rows.clamp_(min=0)
        with torch.no_grad():
            chosen = sides[1][1][:, disagreement.argmin()].sigmoid().reshape(1, 1, *grid)
            large = interpolate(chosen, image.size[::-1], mode="bilinear")[0]
            masks.append(((large - large.min()) / (large.max() - large.min()) > 0.5).numpy())
    return masks


if __name__ == "__main__":
    measure(sys.modules[__name__])
