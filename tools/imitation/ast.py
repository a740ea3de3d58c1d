"""AST as MIT's repository holds it: the same weights twice, and a long table of labels in config.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tools.imitation.files import remove
from tools.imitation.filling import fill
from tools.imitation.inputs import audio

__all__ = ["answers", "write"]

#: Some of AudioSet's 527 labels, under their own names and in their own order, commas and brackets as they are there.
_LABELS = (
    *("Speech", "Male speech, man speaking", "Female speech, woman speaking", "Child speech, kid speaking", "Laughter"),
    *("Baby cry, infant cry", "Singing", "Animal", "Dog", "Bark", "Cat", "Meow", "Horse", "Cattle, bovinae", "Bird"),
    *("Chirp, tweet", "Crow", "Frog", "Music", "Guitar", "Acoustic guitar", "Piano", "Drum", "Drum kit"),
    *("Violin, fiddle", "Flute", "Saxophone", "Church bell", "Wind", "Rain", "Ocean", "Waves, surf", "Fire", "Vehicle"),
    *("Car", "Motorcycle", "Train", "Helicopter", "Siren", "Telephone", "Clock", "Vacuum cleaner", "Applause"),
    *("Silence", "Sine wave", "White noise"),
)
_SECONDS = 0.8


def write(source: str, folder: Path) -> None:
    """Write a checkpoint into a folder."""
    import transformers

    named = {"id2label": dict(enumerate(_LABELS)), "label2id": {label: i for i, label in enumerate(_LABELS)}}
    config = transformers.ASTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, max_length=128, **named
    )
    model = fill(transformers.ASTForAudioClassification(config))
    model.save_pretrained(folder, safe_serialization=False)
    model.save_pretrained(folder)
    transformers.ASTFeatureExtractor(max_length=128).save_pretrained(folder)
    remove(folder, "generation_config.json")


def answers(source: str, folder: Path) -> dict[str, Any]:
    """What the release itself makes of the files: probabilities in the order of the labels."""
    import torch
    import transformers

    model = transformers.ASTForAudioClassification.from_pretrained(folder).eval()
    extractor = transformers.ASTFeatureExtractor.from_pretrained(folder)
    inputs = extractor(audio(16_000, _SECONDS), sampling_rate=16_000, return_tensors="pt")
    with torch.no_grad():
        probabilities = model(**inputs).logits.sigmoid()
    return {"probabilities": np.asarray(probabilities[0]), "seconds": np.array(_SECONDS)}
