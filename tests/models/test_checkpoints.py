"""A checkpoint is whole or refused by name: every file that an adapter's loader needs, and the tokenizer's size."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from adapter_checkpoints import CHECKPOINTS, save
from adapter_helpers import into_hub_cache
from adapter_uses import USES, far_off, settings_of
from huggingface_hub import constants
from open_clip_folders import SIGLIP_LIKE, export
from safetensors.torch import load_file, save_file
from tokenizers.pre_tokenizers import ByteLevel

from zsavs.errors import MissingWeights, WeightsError
from zsavs.models.blip import BlipCaptioner
from zsavs.models.checkpoints import check_tokenizer, load_model
from zsavs.models.clap import DEFAULT, ClapEncoder
from zsavs.models.grounding_dino import GroundingDinoGrounder
from zsavs.models.omdet import OmDetGrounder
from zsavs.models.open_clip import OpenClipEncoder
from zsavs.models.owlv2 import Owlv2Grounder
from zsavs.models.sam2 import CARDS as SAM2_CARDS
from zsavs.models.sam2 import Sam2Segmenter
from zsavs.models.whisper_captioner import CARDS as WHISPER_CARDS
from zsavs.models.whisper_captioner import WhisperCaptioner
from zsavs.registry import ROLES, find_component, list_components
from zsavs.storage.completeness import lacking
from zsavs.storage.weights import is_local, lacking_files
from zsavs.testing.tiny.detectors import tiny_grounding_dino, tiny_omdet, tiny_owlv2
from zsavs.testing.tiny.encoders import tiny_blip, tiny_clap
from zsavs.testing.tiny.joint import tiny_pe_audio, tiny_pe_av
from zsavs.testing.tiny.tokenizers import clip_tokenizer

PHRASES = ["a dog", "rain on a roof", "zither"]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLAP with the file names of laion/clap-htsat-unfused, whose tokenizer is RoBERTa's own in two files."""
    folder = tmp_path_factory.mktemp("clap")
    toy = tiny_clap()
    words = ["<s>", "<pad>", "</s>", "<unk>", *sorted(ByteLevel.alphabet()), "do", "dog", "ra", "in", "<mask>"]
    config = toy.model.config
    config.text_config.vocab_size = len(words)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = transformers.ClapModel(config)
    config.save_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    toy.feature_extractor.save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({word: number for number, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\nd o\ndo g\nr a\ni n\n")
    named = {"tokenizer_class": "RobertaTokenizer", "model_max_length": 512}
    (folder / "tokenizer_config.json").write_text(json.dumps(named))
    (folder / "special_tokens_map.json").write_text(json.dumps({"bos_token": "<s>", "pad_token": "<pad>"}))
    return folder


def without(folder: Path, to: Path, *names: str) -> Path:
    shutil.copytree(folder, to)
    for name in names:
        (to / name).unlink()
    return to


# --------------------------------------------------------------------------------- files
NEEDED = ["config.json", "pytorch_model.bin", "preprocessor_config.json", "vocab.json", "merges.txt"]
NEEDED += ["tokenizer_config.json"]


@pytest.mark.parametrize("name", NEEDED)
def test_a_published_checkpoint_without_one_of_its_files_is_refused_by_name(
    name: str, published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    cut = without(published, tmp_path / "cut", name)
    with pytest.raises(MissingWeights, match=rf"{cut}: incomplete, it lacks .*{name}.*Copy what is missing"):
        ClapEncoder.load(cut)
    assert not is_local(cut, files=ClapEncoder.files)
    into_hub_cache(cut, DEFAULT, tmp_path / "hub")
    remedy = f"incomplete, it lacks .*{name}.*nothing else, with: zsavs download {DEFAULT}$"
    with pytest.raises(MissingWeights, match=remedy) as raised:
        ClapEncoder.load()
    assert "delete" not in str(raised.value).lower()
    (lacks,) = lacking_files(ClapEncoder.cards[DEFAULT]) or []
    assert name in lacks


def test_the_whole_one_loads_and_so_it_does_without_what_nobody_needs(published: Path, tmp_path: Path) -> None:
    whole = ClapEncoder.load(published, device="cpu").encode_text(PHRASES)
    assert (whole @ whole.T)[~np.eye(3, dtype=bool)].max() < 0.999
    cut = without(published, tmp_path / "cut", "special_tokens_map.json")
    np.testing.assert_array_equal(ClapEncoder.load(cut, device="cpu").encode_text(PHRASES), whole)


def test_weights_without_their_words_answer_wrongly_by_themselves(published: Path, tmp_path: Path) -> None:
    """What is refused, and why: transformers makes five words up, and all texts are the same to the model."""
    cut = without(published, tmp_path / "cut", "vocab.json", "merges.txt")
    made_up = transformers.AutoTokenizer.from_pretrained(cut, local_files_only=True)
    assert len(made_up) == 5
    assert made_up("a dog")["input_ids"] == made_up("zither")["input_ids"]
    with pytest.raises(MissingWeights, match=r"it lacks tokenizer\.json or vocab\.json \+ merges\.txt\."):
        ClapEncoder.load(cut)


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_every_file_is_needed_or_changes_nothing(name: str, tmp_path: Path) -> None:
    """A folder as save_pretrained makes it, without each of its files in turn."""
    make, uses = USES[name]
    part = make()
    folder = save(name, part, tmp_path / "whole")
    files = sorted(path.name for path in folder.iterdir())
    assert lacking(folder, part.files) == []
    settings = {**settings_of(part), "device": "cpu"}
    needed = []
    for file in files:
        cut = without(folder, tmp_path / f"no {file}", file)
        if lacks := lacking(cut, part.files):
            assert file in " ".join(lacks)
            needed.append(file)
            with pytest.raises(MissingWeights, match="incomplete"):
                type(part).load(cut, **settings)
        else:
            with_all, with_less = (type(part).load(at, **settings) for at in (folder, cut))
            for ask in uses.values():
                assert far_off(ask(with_less), ask(with_all)) <= CHECKPOINTS[name].tolerance, file
    assert {"config.json", "model.safetensors"} <= set(needed)
    assert len(needed) >= 3


def test_every_card_of_a_repository_says_what_its_loader_needs() -> None:
    adapters = {find_component(role, name) for role in ROLES for name in list_components(role)}
    cards = [card for cls in adapters for card in getattr(cls, "cards", {}).values()]
    assert len(cards) > 20
    for card in cards:
        assert card.files or card.source.startswith("https://"), card.source
        if card.source.startswith("zsavs:"):
            assert lacking_files(card) == []


def test_metas_own_file_is_no_checkpoint_of_sam_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "sam2.1_hiera_tiny.pt").write_bytes(b"weights")
    (tmp_path / "old" / "sam2.1_hiera_t.yaml").write_text("model:")
    into_hub_cache(tmp_path / "old", Sam2Segmenter.default, tmp_path / "hub")
    card = SAM2_CARDS[Sam2Segmenter.default]
    lacks = ["config.json", "model.safetensors or pytorch_model.bin", "preprocessor_config.json"]
    assert lacking_files(card) == lacks
    assert not is_local(card.source, files=card.files)
    with pytest.raises(MissingWeights, match=r"lacks config\.json, model\.safetensors or pytorch_model\.bin, pre"):
        Sam2Segmenter.load()


def test_whispers_marks_are_in_a_file_of_their_own(tmp_path: Path) -> None:
    for name in ("config.json", "pytorch_model.bin", "preprocessor_config.json", "tokenizer_config.json"):
        (tmp_path / name).write_text("w")
    for name in ("vocab.json", "merges.txt"):
        (tmp_path / name).write_text("w")
    card = next(iter(WHISPER_CARDS.values()))
    assert lacking(tmp_path, card.files) == ["added_tokens.json"]


def test_a_missing_shard_is_named(published: Path, tmp_path: Path) -> None:
    folder = save("clap", tiny_clap(), tmp_path / "sharded")
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    names = sorted(weights)
    halves = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, of_it in halves.items():
        save_file({name: weights[name] for name in of_it}, folder / file, {"format": "pt"})
    index = {"metadata": {}, "weight_map": {name: file for file, of_it in halves.items() for name in of_it}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    ClapEncoder.load(folder, device="cpu")
    (folder / "model-00002-of-00002.safetensors").unlink()
    with pytest.raises(MissingWeights, match=r"it lacks model-00002-of-00002\.safetensors\."):
        ClapEncoder.load(folder)


def test_no_model_is_made_without_its_configuration(published: Path, tmp_path: Path) -> None:
    """Where the default sizes fit, transformers would load it without a word: the published sizes are the default."""
    cut = without(published, tmp_path / "cut", "config.json")
    with pytest.raises(MissingWeights, match=r"there is no config\.json, without which ClapModel has the sizes"):
        load_model("ClapModel", cut, torch.float32)


# ------------------------------------------------------------------------------ tokenizers
class Words:
    """Stands for a tokenizer of so many words."""

    def __init__(self, count: int, **marks: int | None) -> None:
        self.count = count
        self.__dict__ |= marks

    def __len__(self) -> int:
        return self.count


#: Words of published tokenizers, and rows of the models that they belong to.
PUBLISHED = {
    "BERT": (30522, 30522),
    "RoBERTa": (50265, 50265),
    "CLIP": (49408, 49408),
    "BLIP": (30522, 30524),
    "BLIP, with its marks": (30524, 30524),
    "Whisper": (51865, 51865),
    "Whisper, without languages and times": (50258, 51865),
    "ModernBERT": (50280, 50368),
    "T5": (32100, 32128),
    "SigLIP, multilingual": (250_100, 250_000),
    "BERT, rounded up": (30522, 30592),
}


@pytest.mark.parametrize(("words", "rows"), PUBLISHED.values(), ids=PUBLISHED)
def test_published_tokenizers_fit(words: int, rows: int) -> None:
    check_tokenizer(Words(words, pad_token_id=0, eos_token_id=min(words, rows) - 1, bos_token_id=None), rows, "org/x")


@pytest.mark.parametrize(
    ("words", "rows"), [(2, 49408), (3, 30522), (5, 50265), (5, 1000), (0, 100), (30522, 50265), (50265, 30522)]
)
def test_a_vocabulary_of_a_few_words_or_of_another_model_never_does(words: int, rows: int) -> None:
    with pytest.raises(WeightsError, match=rf"org/x: .*it knows {words} words, and not the {rows}.*zsavs download org"):
        check_tokenizer(Words(words), rows, "org/x")


def test_a_mark_that_the_model_has_no_row_for_is_refused() -> None:
    with pytest.raises(WeightsError, match=r"its marks pad 100 lie beyond the 100"):
        check_tokenizer(Words(101, pad_token_id=100, eos_token_id=2), 100, "org/x")


def test_every_adapter_that_reads_texts_refuses_words_that_are_made_up() -> None:
    roberta, bert, clip = transformers.RobertaTokenizer(), transformers.BertTokenizer(), transformers.CLIPTokenizer()
    clap, blip, owl, dino, av = tiny_clap(), tiny_blip(), tiny_owlv2(), tiny_grounding_dino(), tiny_pe_av()
    omdet, pe, whisper = tiny_omdet(), tiny_pe_audio(), USES["whisper"][0]()
    blip.processor.tokenizer = bert
    made = [
        lambda: ClapEncoder(clap.model, clap.feature_extractor, roberta, card=clap.card),
        lambda: BlipCaptioner(blip.model, blip.processor, card=blip.card),
        lambda: Owlv2Grounder(owl.model, owl.image_processor, clip, card=owl.card),
        lambda: GroundingDinoGrounder(dino.model, dino.image_processor, bert, card=dino.card),
        lambda: OmDetGrounder(omdet.model, omdet.image_processor, clip, card=omdet.card),
        lambda: type(av)(av.model, av.feature_extractor, av.video_processor, roberta, card=av.card),
        lambda: type(pe)(pe.model, pe.feature_extractor, roberta, card=pe.card),
        lambda: WhisperCaptioner(whisper.model, whisper.feature_extractor, roberta, card=whisper.card),
    ]
    for make in made:
        with pytest.raises(WeightsError, match=r"tokenizer is not the model's: it knows \d words, and not"):
            make()


def test_open_clip_refuses_a_tokenizer_without_words_too(tmp_path: Path) -> None:
    config = json.loads(json.dumps(SIGLIP_LIKE))
    tokenizer = clip_tokenizer()
    config["model_cfg"]["text_cfg"]["vocab_size"] = len(tokenizer)
    folder = export(config, tmp_path / "siglip", tokenizer)
    OpenClipEncoder.load(folder, device="cpu")
    (folder / "tokenizer.json").unlink()
    with pytest.raises(MissingWeights, match="toy/tokenizer"):  # the configuration beside the weights has no words
        OpenClipEncoder.load(folder)
    transformers.BertTokenizer().save_pretrained(folder)
    with pytest.raises(WeightsError, match="tokenizer is not the model's"):
        OpenClipEncoder.load(folder)
