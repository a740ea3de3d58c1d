"""Tags become what a detector is asked for: the table, the rule for other labels, and the strategy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import zsavs
from zsavs import testing
from zsavs.cli.model_choice import strategies
from zsavs.errors import ContractError, InputError, UnknownName, VocabularyError
from zsavs.language.sound_sources import LabelPhrases, most_specific, visible_things
from zsavs.strategies.classify import Classify
from zsavs.testing import toy
from zsavs.types import AudioClip, AVSample, Query

DATA = resources.files("zsavs") / "data"
TABLE: dict[str, str | None] = json.loads((DATA / "audioset_phrases.json").read_text(encoding="utf-8"))
GENERAL: dict[str, list[str]] = json.loads((DATA / "general_phrases.json").read_text(encoding="utf-8"))
WORDS: dict[str, Any] = json.loads((DATA / "sound_words.json").read_text(encoding="utf-8"))


class Tags:
    """A tagger that says what it is told to, for each clip its own."""

    def __init__(self, *answers: Mapping[str, float]) -> None:
        self.answers = answers

    def tag(self, clips: Sequence[AudioClip]) -> list[list[tuple[str, float]]]:
        assert len(clips) == len(self.answers)
        return [sorted(answer.items(), key=lambda tag: -tag[1]) for answer in self.answers]


def samples(count: int = 1) -> list[AVSample]:
    return [AVSample(np.zeros((4, 4, 3), np.uint8), toy.tone("red")) for _ in range(count)]


def ask(answer: Mapping[str, float], **settings: Any) -> Query:
    (query,) = Classify(Tags(answer), **settings).query(samples())
    return query


def rows(query: Query) -> dict[str, float]:
    return dict(zip(query.phrases, query.weights.round(4).tolist(), strict=True))


# ----------------------------------------------------------------------------------- the data
def test_the_table_has_every_label_of_audioset_in_its_order() -> None:
    labels = list(TABLE)
    assert len(labels) == 527
    assert labels[0] == "Speech"
    assert labels[74] == "Dog"
    assert labels[137] == "Music"
    assert labels[500] == "Silence"
    assert labels[526] == "Field recording"
    for phrase in TABLE.values():
        assert phrase is None or (phrase == phrase.strip().lower() and phrase)


def test_no_two_labels_are_taken_for_each_other() -> None:
    phrase_of = LabelPhrases()
    for label, phrase in TABLE.items():
        assert phrase_of(label) == (phrase or ""), label


@pytest.mark.parametrize(
    ("label", "phrase"),
    [
        ("Male speech, man speaking", "man"),
        ("Violin, fiddle", "violin"),
        ("Fire engine, fire truck (siren)", "fire engine"),
        ("Roaring cats (lions, tigers)", "lion"),
        ("Bark", "dog"),
        ("Applause", "crowd"),
    ],
)
def test_a_label_asks_for_what_makes_the_sound(label: str, phrase: str) -> None:
    assert LabelPhrases()(label) == phrase


@pytest.mark.parametrize(
    "label",
    ["Silence", "Echo", "Reverberation", "Inside, small room", "White noise", "Rock music", "Music", "Jazz",
     "Sad music", "Sine wave", "Wind noise (microphone)", "Field recording", "Noise", "Outside, urban or manmade"],
)  # fmt: skip
def test_what_nothing_visible_makes_asks_for_nothing(label: str) -> None:
    assert LabelPhrases()(label) == ""


def test_general_phrases_are_phrases_of_the_table_and_no_circle() -> None:
    phrases = set(TABLE.values())
    for general, special in GENERAL.items():
        assert {general, *special} <= phrases
        assert not any(general in GENERAL.get(phrase, ()) for phrase in special), general


def test_the_words_are_lower_case_single_words() -> None:
    every = [word for kind in ("doings", "plain", "qualities", "unseen") for word in WORDS[kind]]
    every += [word for words in WORDS["sources"].values() for word in words]
    assert all(word == word.lower() and len(word.split()) == 1 for word in every)
    sources = [word for words in WORDS["sources"].values() for word in words]
    assert len(sources) == len(set(sources)), "one source for each word"


# ------------------------------------------------------------------------ labels beyond the table
@pytest.mark.parametrize(
    ("label", "phrase"),
    [
        ("male speech, MAN speaking", "man"),
        ("Male_speech_and_man_speaking", "man"),
        ("Male_speech,_man_speaking", "man"),
        ("Male speech", "man"),  # cut at the comma, as some checkpoints have it
        ("Bow wow", "dog"),
        ("Organ (church), playing", "pipe organ"),
        ("Echo (long)", ""),
        ("dog_barking", "dog"),
        ("playing acoustic guitar", "acoustic guitar"),
        ("race car", "race car"),
        ("crackling_fire", "fire"),
        ("crying_baby", "baby"),
        ("female singing", "woman"),
        ("sneezing", "person"),
        ("engine noise", "engine"),
        ("Train horn (distant), honking", "train"),
        ("washing_machine", "washing machine"),
        ("Red thing, humming", "red thing"),
        ("synth pop music", ""),
        ("background noise", ""),
        ("(unlabelled)", ""),
        ("", ""),
        ("狗叫", "狗叫"),
    ],
)
def test_a_label_that_the_table_does_not_have_goes_by_the_rule(label: str, phrase: str) -> None:
    assert LabelPhrases()(label) == phrase


def test_a_table_of_ones_own_is_laid_over_audiosets(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text('{"Bark": "poodle", "Music": "loudspeaker", "Dog": null, "zork": "grue"}', encoding="utf-8")
    for table in (path, str(path), json.loads(path.read_text())):
        phrase_of = LabelPhrases(table)
        assert [phrase_of(label) for label in ("Bark", "music", "Dog", "Zork", "Cat")] == [
            "poodle", "loudspeaker", "", "grue", "cat",
        ]  # fmt: skip
    query = zsavs.build_pipeline("classify", preset="toy", table=str(path)).strategy
    assert query.phrase_of("zork") == "grue"


@pytest.mark.parametrize(
    ("text", "says"),
    [("{", "cannot be read as JSON"), ("[1]", "holds no table"), ('{"Bark": 3}', "a string or null, got 3")],
)
def test_a_table_that_is_none_is_refused(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(VocabularyError, match=says):
        LabelPhrases(path)
    with pytest.raises(VocabularyError, match="no such file"):
        LabelPhrases(tmp_path / "nowhere.json")
    path.write_bytes(b'{"\xff": null}')
    with pytest.raises(VocabularyError, match="cannot be read"):
        LabelPhrases(path)
    with pytest.raises(VocabularyError):
        LabelPhrases({1: "dog"})  # type: ignore[dict-item]


def test_things_of_a_text_come_in_order_each_once() -> None:
    assert visible_things("A cat meows, a dog barks and the cat meows again") == ["cat", "dog"]


# --------------------------------------------------------------------------------- the strategy
def test_labels_above_the_threshold_ask_and_weigh_as_probable_as_they_are() -> None:
    query = ask({"Dog": 0.8, "Piano": 0.6, "Siren": 0.3, "Cat": 0.29}, min_probability=0.3)
    assert rows(query) == pytest.approx({"dog": 0.8, "piano": 0.6})
    assert len(ask({"Dog": 0.25, "Cat": 0.1})) == 0
    assert len(ask({})) == 0


def test_labels_of_one_source_merge_to_the_largest() -> None:
    """Not to 1 - (1 - 0.7)(1 - 0.6): they are names of the same evidence."""
    assert rows(ask({"Bark": 0.7, "Bow-wow": 0.6, "Dog": 0.5, "Yip": 0.26})) == pytest.approx({"dog": 0.7})


def test_an_ancestor_of_a_label_that_is_heard_is_dropped() -> None:
    heard = {"Animal": 0.9, "Domestic animals, pets": 0.85, "Dog": 0.8, "Bark": 0.7, "Vehicle": 0.6}
    assert rows(ask(heard)) == pytest.approx({"dog": 0.8, "vehicle": 0.6})
    assert rows(ask({"Animal": 0.9, "Dog": 0.1})) == pytest.approx({"animal": 0.9}), (
        "what is not heard explains nothing"
    )
    speech = {"Speech": 0.9, "Male speech, man speaking": 0.5, "Female speech, woman speaking": 0.4}
    assert rows(ask(speech)) == pytest.approx({"man": 0.5, "woman": 0.4})
    assert most_specific({}) == {}


def test_what_nothing_visible_makes_takes_no_place() -> None:
    heard = {"Music": 0.95, "Silence": 0.9, "Rock music": 0.8, "Echo": 0.7, "Piano": 0.5}
    assert rows(ask(heard, top_k=1)) == pytest.approx({"piano": 0.5})
    assert len(ask({"White noise": 0.99, "Inside, small room": 0.9})) == 0


def test_each_sound_has_its_own_tags() -> None:
    strategy = Classify(Tags({"Dog": 0.9}, {}, {"Cat": 0.9, "Dog": 0.5}))
    assert [query.phrases for query in strategy.query(samples(3))] == [("dog",), (), ("cat", "dog")]


def test_weak_labels_beside_a_clear_one_are_left_out_where_that_is_asked_for() -> None:
    heard = {"Dog": 0.9, "Piano": 0.6, "Cat": 0.5}
    assert rows(ask(heard)) == pytest.approx({"dog": 0.9, "piano": 0.6, "cat": 0.5})
    assert rows(ask(heard, min_share=0.6)) == pytest.approx({"dog": 0.9, "piano": 0.6})
    assert rows(ask({"Music": 0.9, "Dog": 0.4}, min_share=0.5)) == {}, "beside any label, seen or not"


class TimedTags(Tags):
    """Tags that are heard in the windows of a clip in which they are listed, half a second apart."""

    labels = ("Dog", "Bark", "Cat")
    window_s, hop_s = 1.0, 0.5

    def tag_windows(self, clips: Sequence[AudioClip]) -> list[np.ndarray]:
        by_window = np.zeros((6, 3), np.float32)
        by_window[[0, 1], 0], by_window[4, 1], by_window[5, 2] = 0.9, 0.8, 0.7
        return [by_window for _ in clips]


def test_a_tagger_that_knows_says_when_each_source_is_heard() -> None:
    clip = AudioClip(np.zeros((1, 3 * 8000), np.float32), 8000)
    sample = AVSample(np.zeros((4, 4, 3), np.uint8), clip)
    tags = {"Dog": 0.9, "Bark": 0.8, "Cat": 0.7}
    (query,) = Classify(TimedTags(tags)).query([sample])
    assert query.phrases == ("dog", "cat")
    assert query.times == (((0.0, 1.5), (2.0, 3.0)), ((2.5, 3.0),)), "within the clip"
    (silent,) = Classify(TimedTags({})).query([sample])
    assert silent.times is None
    (untimed,) = Classify(Tags(tags)).query([sample])
    assert untimed.times is None


@pytest.mark.parametrize(
    "settings",
    [
        {"top_k": -1},
        {"min_probability": -0.1},
        {"min_probability": 1.1},
        {"min_probability": float("nan")},
        {"min_share": -0.1},
        {"min_share": float("nan")},
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="classify: top_k"):
        Classify(toy.ToyTagger(), **settings)


def test_silence_noise_and_no_one_in_view_give_an_empty_result() -> None:
    pipe = zsavs.build_pipeline("classify", preset="toy")
    sample, target = toy.scene(("red", "blue", "green"), ("red", "green"))
    result = pipe(sample)
    assert sorted(result.phrases) == ["green thing", "red thing"]
    assert (result.mask & target).sum() > 0.95 * (result.mask | target).sum()
    assert len(pipe(toy.scene(("red", "blue"), ("purple",))[0])) == 0
    assert len(pipe(toy.scene(("red", "blue"), ())[0])) == 0
    hiss = AudioClip(0.3 * np.random.default_rng(0).standard_normal((1, 16_000)).astype(np.float32), 16_000)
    assert len(pipe(AVSample(sample.image, hiss)).queries) == 0


# --------------------------------------------------------------------------- roles that are lacking
def test_a_preset_without_the_role_says_how_to_name_one() -> None:
    with pytest.raises(
        InputError,
        match=r"'base' has no audio_captioner, and .* with --part audio_captioner=NAME\[:CHECKPOINT\], in Python with "
        r"audio_captioner=\"NAME\[:CHECKPOINT\]\"\. There are: qwen_audio \(Qwen/Qwen2-Audio-7B\), toy, "
        r"whisper \(MU-NLPC/whisper-tiny-audio-captioning, ",
    ):
        zsavs.build_pipeline("caption", preset="base")
    with pytest.raises(UnknownName, match="whisper"):
        zsavs.build_pipeline("caption", preset="base", audio_captioner="wisper:x")


def test_all_strategies_are_all_that_the_preset_has_the_parts_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert strategies(None, "toy") == zsavs.list_components("strategy")
    assert capsys.readouterr().err == ""
    lacking = set(zsavs.list_components("strategy")) - set(strategies(None, "base"))
    assert lacking == {"caption", "joint_embedding", "omni", "text_bridged", "textual_inversion"}
    said = capsys.readouterr().err
    assert "left out caption: the preset 'base' has no audio_captioner for it; add: --part audio_captioner=NAME" in said
    assert "caption" in strategies(None, "base", {"audio_captioner": "whisper:folder"})
    assert strategies(["caption", "caption"], "base") == ["caption"], "what was asked for is not left out"


# ----------------------------------------------------------------------------------- the checks
class Broken(toy.ToyTagger):
    """Honest, but for one habit."""

    def __init__(self, habit: str = "") -> None:
        self.habit, self.calls = habit, 0

    def tag(self, clips: Sequence[AudioClip]) -> Any:
        self.calls += 1
        answers: Any = super().tag(clips)
        if self.habit == "count":
            return answers[1:]
        if self.habit == "order":
            return [tags[::-1] for tags in answers]
        if self.habit == "range":
            return [[(label, 2 * p) for label, p in tags] for tags in answers]
        if self.habit == "twice":
            return [[*tags, tags[-1]] for tags in answers]
        if self.habit == "batch":
            return [[(label, p / (1 + 0.01 * len(clips))) for label, p in tags] for tags in answers]
        if self.habit == "random":
            return [[(label, p * (1 - 1e-6 * self.calls)) for label, p in tags] for tags in answers]
        if self.habit == "deaf":
            return [[("dog", 0.5)] for _ in clips]
        if self.habit == "channels":
            return [[(label, p / len(c.waveform)) for label, p in t] for t, c in zip(answers, clips, strict=True)]
        return answers


@pytest.mark.parametrize(
    ("habit", "says"),
    [
        ("count", "one list for each of 5 clips, got 4"),
        ("order", "most probable label comes first"),
        ("range", r"lie in \[0, 1\]"),
        ("twice", "each label once"),
        ("batch", "a batch equals its clips one by one"),
        ("random", "twice give the same bits"),
        ("deaf", "different clips have different probabilities"),
        ("channels", "mono and dual mono"),
    ],
)
def test_a_broken_tagger_is_found_out(habit: str, says: str) -> None:
    testing.check_audio_tagger(Broken())
    with pytest.raises(ContractError, match=says):
        testing.check_audio_tagger(Broken(habit))
