"""Label maps: phrases find the class that they mean, or none, and pixels get it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from PIL import Image

import zsavs
import zsavs.datasets.orchestra
from zsavs.cli.main import main
from zsavs.datasets.base import Item, Target
from zsavs.errors import InputError, UnknownName
from zsavs.evaluation import Plan, evaluate
from zsavs.language.label_maps import ClassMapper, class_mapper, label_map, text_embedder
from zsavs.language.label_sets import LABEL_SETS, avss_palette, label_set, synonyms_of
from zsavs.result import AVSResult
from zsavs.testing import toy


def name_in(labels: str | Sequence[str], phrase: str, **rest: Any) -> str:
    names = class_mapper(labels, **rest)
    return names.classes[names(phrase)]


# ------------------------------------------------------------------------------ by words alone
@pytest.mark.parametrize(
    ("phrase", "avss", "vpo"),
    [
        ("dog", "dog", "dog"),
        ("Brown Dogs", "dog", "dog"),
        ("Hair_Dryer", "hair-dryer", "background"),
        ("ambulance", "emergency-car", "background"),
        ("ambulance siren", "emergency-car", "background"),
        ("a red police car", "emergency-car", "car"),
        ("male speech", "man", "male"),
        ("Male speech, man speaking", "man", "male"),
        ("female singing", "woman", "female"),
        ("women", "woman", "female"),
        ("acoustic guitar", "guitar", "background"),
        ("playing_acoustic_guitar", "guitar", "background"),
        ("geese", "goose", "background"),
        ("wolves", "wolf", "background"),
        ("two buses", "bus", "bus"),
        ("barking", "dog", "dog"),
        ("male horse", "horse", "horse"),
        ("mobile phones", "background", "cell phone"),
        ("computer keyboard", "keyboard", "keyboard"),
        ("teapot", "background", "background"),
        ("background", "background", "background"),
        ("carpet", "background", "background"),
        ("mane", "background", "background"),
        ("", "background", "background"),
    ],
)
def test_words_find_their_class(phrase: str, avss: str, vpo: str) -> None:
    assert (name_in("avss", phrase), name_in("vpo", phrase)) == (avss, vpo)


@pytest.mark.parametrize("name", LABEL_SETS)
def test_every_class_is_found_by_its_own_name_and_plural(name: str) -> None:
    for each in label_set(name).classes[1:]:
        assert name_in(name, each) == each
        irregular = {
            "man": "men",
            "woman": "women",
            "mouse": "mice",
            "goose": "geese",
            "wolf": "wolves",
            "baby": "babies",
            "erhu": "erhu",
            "broccoli": "broccoli",
            "scissors": "scissors",
            "skis": "skis",
        }
        plural = irregular.get(each, f"{each}{'es' if each.endswith(('s', 'x', 'ch')) else 's'}")
        assert name_in(name, plural) == each
    for word, meant in label_set(name).synonyms.items():
        assert meant in label_set(name).classes
        assert name_in(name, word) == meant


def test_synonyms_belong_to_their_label_set() -> None:
    shuffled = ("background", *label_set("vpo").classes[:0:-1])
    assert synonyms_of(shuffled) == label_set("vpo").synonyms, "ids follow the data, words follow the names"
    assert name_in(shuffled, "woman") == "female"
    assert not synonyms_of(("background", "man", "woman"))


def test_ids_are_those_of_the_classes_given() -> None:
    names = ClassMapper(("background", "dog", "car", "race car"))
    assert [names(p) for p in ("dog", "car", "race cars", "race car on a track", "piano")] == [1, 2, 3, 3, 0]


def test_limits() -> None:
    with pytest.raises(UnknownName, match="avss"):
        class_mapper("avs")
    with pytest.raises(InputError, match="255"):
        ClassMapper([str(number) for number in range(256)])
    with pytest.raises(InputError, match="cosine"):
        ClassMapper(["background"], min_similarity=2)


# ---------------------------------------------------------------------------------- by meaning
class Meanings:
    """A text encoder whose space is known: what words mean, and a large part that all of them share."""

    space = "known"
    own = {  # noqa: RUF012
        "violin": (1, 0, 0),
        "drum": (0, 1, 0),
        "wolf": (0, 0, 1),
        "fiddle": (0.9, 0.3, 0.1),
        "husky": (0.3, 0.1, 0.9),
        "spoon": (-0.5, -0.5, -0.5),
    }

    def __init__(self, shared: float = 3.0) -> None:
        self.shared = shared
        self.asked: list[str] = []

    def encode_text(self, phrases: Sequence[str]) -> NDArray[np.float32]:
        self.asked += phrases
        rows = [(self.shared, *next((v for w, v in self.own.items() if w in p), (0, 0, 0))) for p in phrases]
        return np.array([np.array(row) / np.linalg.norm(row) for row in rows], np.float32)


NAMES = ("background", "violin", "drum", "wolf")


@pytest.mark.parametrize("shared", [0.0, 1.0, 10.0])
def test_near_synonyms_find_their_class_and_others_none(shared: float) -> None:
    """The part that all texts share makes every cosine 0.99, and changes nothing."""
    encoder = Meanings(shared)
    names = ClassMapper(NAMES, encoder.encode_text)
    assert [NAMES[names(p)] for p in ("fiddle", "husky", "spoon")] == ["violin", "wolf", "background"]


def test_words_come_before_meanings() -> None:
    encoder = Meanings()
    names = ClassMapper(NAMES, encoder.encode_text)
    assert names("drums") == 2
    assert not encoder.asked


def test_a_phrase_between_two_classes_needs_the_threshold() -> None:
    encoder = Meanings(0.0)
    similarity = 0.9 / np.linalg.norm((0.9, 0.3, 0.1))
    assert ClassMapper(NAMES, encoder.encode_text, min_similarity=similarity - 1e-3)("fiddle") == 1
    assert ClassMapper(NAMES, encoder.encode_text, min_similarity=similarity + 1e-3)("fiddle") == 0


def test_a_phrase_that_is_near_a_synonym_is_of_its_class() -> None:
    names = ClassMapper(
        ("background", "drum", "wolf", "string thing"), Meanings().encode_text, {"violin": "string thing"}
    )
    assert names("fiddle") == 3


def test_the_text_side_of_encoders_and_verifiers() -> None:
    pipe = zsavs.build_pipeline("fused", preset="toy")
    for part in (pipe.verifier, toy.ToyImageText()):
        embed = text_embedder(part)
        assert embed is not None
        assert embed(["red", "blue"]) @ embed(["red"])[0] == pytest.approx([1, 0], abs=1e-5)
    blind = zsavs.build_pipeline("fused", "toy", verifier="trust_grounder").verifier
    assert text_embedder(None) is text_embedder(blind) is None


# ------------------------------------------------------------------------------------- the map
def result(phrases: Sequence[str]) -> AVSResult:
    """Objects that cover one column less each, surest first and widest."""
    masks = np.zeros((len(phrases), 2, 4), np.bool_)
    for place in range(len(phrases)):
        masks[place, :, : len(phrases) - place] = True
    return AVSResult(
        masks[::-1].copy(),
        np.array([[0, 0, place + 1, 2] for place in range(len(phrases))], np.float32),
        tuple(phrases),
        np.linspace(0.9, 0.6, len(phrases), dtype=np.float32),
        masks.any(0).astype(np.float32),
    )


def test_the_surest_is_on_top_and_what_has_no_class_hides_nothing() -> None:
    found = result(["teapot", "male speech", "guitars"])  # columns 0; 0 and 1; 0, 1 and 2
    labels = found.semantic("avss")
    man, guitar = (label_set("avss").classes.index(name) for name in ("man", "guitar"))
    assert labels.dtype == np.uint8
    assert labels.tolist() == [[man, man, guitar, 0]] * 2


def test_the_encoder_decides_what_words_do_not() -> None:
    found = result(["fiddle", "spoon"])
    assert found.semantic(NAMES).max() == 0
    assert found.semantic(NAMES, Meanings()).tolist() == [[1, 0, 0, 0]] * 2


def test_masks_are_stretched_to_the_size_that_is_asked_for() -> None:
    found = result(["drum"])
    labels = label_map(found.phrases, found.masks, ClassMapper(NAMES), (4, 8))
    assert (labels == 2).sum() == 4 * 2
    assert (labels[:, :2] == 2).all()


# ---------------------------------------------------------------------------------- evaluation
class Scenes:
    """Toy scenes with label maps; ``classes`` is in an order of its own."""

    name, suite, root, split = "scenes", "avss", "", "test"

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)

    def __len__(self) -> int:
        return 4

    def __iter__(self) -> Any:
        return iter("0123")

    def load(self, item: str) -> Item:
        sounding = ("red", "blue")[int(item) % 2]
        sample, mask = toy.scene(("red", "blue"), (sounding,), size_hw=(48, 64), seed=int(item))
        label = self.classes.index(sounding) if sounding in self.classes else 0
        return Item(sample, Target.from_labels((mask * label).astype(np.uint8), self.classes))


@pytest.mark.parametrize("suite", ["avss", "cavp"])
def test_an_evaluation_feeds_label_maps_to_the_semantic_suites(suite: str) -> None:
    plan = Plan(("fused",), preset="toy", suites=(suite,), audio=("recorded",))

    def miou(*classes: str) -> float:
        (row,) = evaluate(Scenes(("background", *classes)), plan)["rows"]  # type: ignore[arg-type]
        return float(row["metrics"][suite]["mIoU"])

    assert miou("blue", "red") > 0.95
    # "red thing" is not one of these: it must not be given to the class that is least unlike it.
    assert miou("blue", "green") == pytest.approx((1 + 1 + 0) / 3, abs=0.03)


# -------------------------------------------------------------------------------- command line
@pytest.fixture
def pair(tmp_path: Path) -> list[str]:
    sample, _ = toy.scene(("red", "blue"), ("blue",))
    Image.fromarray(sample.image).save(tmp_path / "scene.png")
    soundfile.write(tmp_path / "scene.wav", sample.audio.waveform.T, sample.audio.sample_rate_hz)
    return [str(tmp_path / "scene.png"), str(tmp_path / "scene.wav"), "--preset", "toy", "--strategy", "fused"]


def test_segment_writes_the_label_map(pair: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--vocabulary", str(tmp_path / "words.txt"), "--out", str(tmp_path), "--label-set", "avss"]
    (tmp_path / "words.txt").write_text("blue motorbike\nred teapot\n")
    assert main(["segment", *pair, *words, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [row["class"] for row in answer["objects"]] == ["motorcycle"]
    image = Image.open(answer["files"]["labels"])
    motorcycle = label_set("avss").classes.index("motorcycle")
    saved = AVSResult.load(tmp_path / "scene.json")
    assert np.array_equal(np.asarray(image), saved.mask * np.uint8(motorcycle)), "pixel values are class ids"
    assert (np.asarray(image.convert("RGB"))[saved.mask] == avss_palette()[motorcycle]).all()
    assert main(["segment", *pair, *words]) == 0
    assert "found: blue motorbike (motorcycle)" in capsys.readouterr().out


def test_what_has_no_class_is_said(pair: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["segment", *pair, "--out", str(tmp_path), "--label-set", "vpo"]) == 0
    assert "found: blue (no class of vpo)" in capsys.readouterr().out
    assert not np.asarray(Image.open(tmp_path / "scene_vpo.png")).any()


def test_a_word_of_the_background_has_no_class_whatever_its_parts_name() -> None:
    find = ClassMapper(("nothing", "keyboard"), synonyms={"electronic keyboard": "nothing", "typewriter": "keyboard"})
    found = [find(phrase) for phrase in ("keyboard", "old keyboards", "electronic keyboard", "an electronic keyboard")]
    assert found == [1, 1, 0, 0]
    assert find("typewriter") == 1


def test_an_unknown_label_set_is_wrong_usage(pair: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["segment", *pair, "--label-set", "cityscapes"]) == 2
    assert "avss, coco, vpo" in capsys.readouterr().err


# ----------------------------------------------------------------------------------- real models
def test_a_scene_of_the_orchestra_in_the_classes_of_avss() -> None:
    scenes = zsavs.datasets.orchestra.Orchestra(groups=["single"])
    ids = label_set("avss").classes
    wanted = {"guitar", "violin", "piano", "accordion", "saxophone", "trumpet", "flute"}
    item = next(name for name in scenes if scenes.scenes[name].sources[0] in wanted)
    sample, target = scenes.load(item)
    pipe = zsavs.build_pipeline("audio_to_text", preset="nano", device="cpu")
    labels = pipe(sample).semantic("avss", pipe.verifier.image_scorer.encoder)
    truth = target.mask * ids.index(target.sources[0])
    assert (labels[target.mask] == truth[target.mask]).mean() > 0.7
    assert (labels[~target.mask] == 0).mean() > 0.95


# --------------------------------------------------------------------------- in short
def test_phrases_find_their_class() -> None:
    names = ClassMapper(("background", "dog", "hair-dryer", "car", "race car"))
    assert [names(p) for p in ("dog", "brown dog", "Hair Dryer", "a race car on a track", "piano")] == [1, 1, 2, 4, 0]


def test_a_phrase_that_names_no_class_gets_the_nearest_one() -> None:
    encoder = toy.ToyAudioText()
    names = ClassMapper(("background", "green", "red"), encoder.encode_text)
    assert names("something red") == 2


def test_the_label_map_has_the_surest_region_on_top() -> None:
    masks = np.zeros((2, 4, 4), np.bool_)
    masks[0, :2], masks[1, :3] = True, True
    result = AVSResult(
        masks,
        np.array([[0, 0, 4, 2], [0, 0, 4, 3]], np.float32),
        ("red", "green"),
        np.array([0.9, 0.5], np.float32),
        masks.any(0).astype(np.float32),
    )
    labels = label_map(result.phrases, result.masks, ClassMapper(("background", "green", "red")), (4, 4))
    assert labels.tolist() == [[2] * 4, [2] * 4, [1] * 4, [0] * 4]
