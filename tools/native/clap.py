"""CLAP by LAION's package: small ones, with and without fusion, and their embeddings of a sound and of texts."""

from __future__ import annotations

import json
import tempfile
from importlib import resources
from pathlib import Path
from typing import Any
from unittest import mock

from tools.imitation.files import roberta_vocabulary
from tools.imitation.inputs import TEXTS, audio
from tools.native.weights import fill

__all__ = ["PUBLISHED", "write"]

#: Of the published files, the audio tower and whether it is fused.
PUBLISHED = {
    "630k-audioset-best": ("tiny", False),
    "630k-audioset-fusion-best": ("tiny", True),
    "music_audioset_epoch_15_esc_90.14": ("base", False),
}

#: HTS-AT and RoBERTa, small. The package's layers behind RoBERTa are for its 768 channels.
_HTSAT = {"embed_dim": 16, "depths": [1, 2, 1, 1], "num_heads": [1, 2, 2, 4]}
_ROBERTA = {"hidden_size": 768, "num_hidden_layers": 2, "num_attention_heads": 12, "intermediate_size": 48}
_JOINT = 24
_SECONDS = 3.0
#: What the package computes of its settings and keeps among the weights.
_COMPUTED = ("spectrogram_extractor", "logmel_extractor", "attn_mask")


def write(name: str) -> dict[str, Any]:
    """What the golden file holds; of published size, all but RoBERTa's words, which are as small."""
    import torch
    import transformers

    tower, fused = PUBLISHED.get(name, ("tiny", name.endswith("_fused")))
    with tempfile.TemporaryDirectory() as folder:
        entries = roberta_vocabulary(Path(folder))
        tokenizer = transformers.RobertaTokenizer(str(Path(folder, "vocab.json")), str(Path(folder, "merges.txt")))
    text = {"vocab_size": entries, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
    if name in PUBLISHED:
        model = _build(tower, fused, transformers.RobertaConfig(max_position_embeddings=514, **text), None)
    else:
        model = _build(tower, fused, transformers.RobertaConfig(max_position_embeddings=82, **text, **_ROBERTA), _HTSAT)
    described = fill(model, _COMPUTED)
    from laion_clap.training.data import get_audio_features

    settings = _settings(tower)["audio_cfg"]
    waveform = torch.from_numpy(audio(settings["sample_rate"], _SECONDS))
    kind = "fusion" if fused else "rand_trunc"
    heard = get_audio_features({}, waveform, settings["clip_samples"], kind, "repeatpad", settings)
    read = tokenizer(list(TEXTS), padding="max_length", truncation=True, max_length=77, return_tensors="pt")
    with torch.no_grad():
        return {
            "weights": described,
            "seconds": _SECONDS,
            "audio": model.get_audio_embedding([heard]),
            "text": model.get_text_embedding(dict(read)),
        }


def _settings(tower: str) -> dict[str, Any]:
    import laion_clap  # noqa: F401  (its modules find each other by names of their own, once it is imported)

    described = resources.files("laion_clap") / "clap_module" / "model_configs" / f"HTSAT-{tower}.json"
    content: dict[str, Any] = json.loads(described.read_text(encoding="utf-8"))
    content["text_cfg"]["model_type"] = "roberta"
    return content


def _build(tower: str, fused: bool, roberta: Any, htsat: dict[str, Any] | None) -> Any:
    """A model as the package builds it, without what it fetches; of the given audio tower, if any."""
    import transformers

    classes = (transformers.BertTokenizer, transformers.RobertaTokenizer, transformers.BartTokenizer)
    patches = [mock.patch.object(cls, "from_pretrained") for cls in classes]
    for patch in patches:  # the package fetches words as it is imported
        patch.start()
    try:
        settings = _settings(tower)
        from laion_clap.clap_module import htsat as towers
        from laion_clap.clap_module import model as clap
        from laion_clap.training import data  # noqa: F401
    finally:
        for patch in patches:
            patch.stop()
    fusion = {"enable_fusion": fused, "fusion_type": "aff_2d" if fused else "None"}
    words = mock.patch.object(clap.RobertaModel, "from_pretrained", return_value=transformers.RobertaModel(roberta))
    if htsat is None:
        with words:
            return clap.CLAP(**settings, **fusion)
    audio_cfg = clap.CLAPAudioCfp(**settings["audio_cfg"])
    small = towers.HTSAT_Swin_Transformer(
        spec_size=256,
        patch_size=4,
        patch_stride=(4, 4),
        num_classes=5,
        window_size=8,
        config=audio_cfg,
        **htsat,
        **fusion,
    )
    settings["embed_dim"] = small.num_features
    with words, mock.patch.object(clap, "create_htsat_model", return_value=small):
        return clap.CLAP(**settings, **fusion, joint_embed_shape=_JOINT)
