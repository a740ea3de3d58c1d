"""Every noun of a caption survives, and what is left is short phrases without the words around them."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zsavs.errors import MissingExtra
from zsavs.language.noun_phrases import noun_phrases, spacy_noun_phrases

CAPTIONS: dict[str, list[str]] = {
    # what captioners say about pictures
    "a man playing a guitar on a stage": ["man", "guitar", "stage"],
    "a brown dog laying on top of a wooden floor": ["brown dog", "wooden floor"],
    "a woman singing into a microphone": ["woman", "microphone"],
    "there is a cat that is sitting on a window sill": ["cat", "window sill"],
    "a red double decker bus driving down a city street": ["red double decker bus", "city street"],
    "a train traveling down train tracks next to a forest": ["train", "train tracks", "forest"],
    "a man in a suit and tie talking on a cell phone": ["man", "suit", "tie", "cell phone"],
    "a group of people standing around a fire truck": ["people", "fire truck"],
    "a police car parked on the side of the road": ["police car", "road"],
    "a duck and two ducklings swimming in a pond": ["duck", "ducklings", "pond"],
    "a lion roaring in the grass": ["lion", "grass"],
    "an acoustic guitar leaning against a wall": ["acoustic guitar", "wall"],
    "a woman is speaking at a podium with a crowd in the background": ["woman", "podium", "crowd"],
    "a helicopter flying over a mountain": ["helicopter", "mountain"],
    "a young boy playing the violin while a girl plays the piano": ["young boy", "violin", "girl", "piano"],
    "three dogs barking at the mailman": ["dogs", "mailman"],
    "a bicycle and a motorcycle parked next to each other": ["bicycle", "motorcycle"],
    "water running from a tap": ["water", "tap"],
    "a close up view of a bee on a flower": ["bee", "flower"],
    "arafed dog standing in the snow": ["dog", "snow"],
    "a toilet flushing in a bathroom": ["toilet", "bathroom"],
    "two dogs playing together on the left": ["dogs"],
    "a dog lying on a bed": ["dog", "bed"],
    "a boat tied to a dock": ["boat", "dock"],
    # nouns that look like participles
    "two men standing next to a large building": ["men", "large building"],
    "a baby laying in bed": ["baby", "bed"],
    "the king sitting on his throne": ["king", "throne"],
    "a wedding ring on a string": ["wedding ring", "string"],
    "a sewing machine and a washing machine": ["sewing machine", "washing machine"],
    "a swimming pool with a slide": ["swimming pool", "slide"],
    "a railroad crossing in the morning": ["railroad crossing", "morning"],
    "a red brick building with clothing in the ceiling": ["red brick building", "clothing", "ceiling"],
    "a moped near a shed": ["moped", "shed"],
    "a seaweed covered rock": ["seaweed", "rock"],
    "a high-speed train and a speed boat": ["high-speed train", "speed boat"],
    "a crowded street": ["crowded street"],
    "a parking lot filled with lots of cars": ["parking lot", "cars"],
    # nouns that look like verbs
    "a fly sitting on a green leaf": ["fly", "green leaf"],
    "a green fly on a leaf": ["green fly", "leaf"],
    "a cold drink next to two hot drinks": ["cold drink", "hot drinks"],
    "a man rides a horse": ["man", "horse"],
    "men play drums at a show": ["men", "drums", "show"],
    "kids on a ride": ["kids", "ride"],
    "a fruit stand and food stands": ["fruit stand", "food stands"],
    "birds fly over a lake": ["birds", "lake"],
    # nouns that only introduce another one, or stand for themselves
    "a large group of people": ["people"],
    "a pair of scissors and lots of paper": ["scissors", "paper"],
    "a couple walking a dog": ["couple", "dog"],
    "a man holding a picture of a dog": ["man", "dog"],
    "a picture on the wall": ["picture", "wall"],
    # possessives, numbers, repetitions
    "a man's hand holding a drum stick": ["man's hand", "drum stick"],
    "the dogs' bowls": ["dogs bowls"],
    "a dog’s bowl and the bowl of a dog’s": ["dog's bowl", "bowl", "dog"],
    "there's a dog and it's raining": ["dog"],
    "1 dog, 2 cats and twenty-one pilots": ["dog", "cats", "twenty-one pilots"],
    "a boeing 747 taking off": ["boeing 747"],
    "a dog next to a dog next to another dog": ["dog"],
    "A DOG. The Dog!": ["dog"],
    # punctuation and other languages
    "a trumpet (brass); drums: snare, kick/bass - and a flute...": [
        "trumpet",
        "brass",
        "drums",
        "snare",
        "kick",
        "bass",
        "flute",
    ],
    "a café, a jalapeño & a cafe\N{COMBINING ACUTE ACCENT}": ["café", "jalapeño"],
    "dog_barking\tin\nthe  rain": ["dog", "rain"],
    "un chien aboie": ["un chien aboie"],
    "कुत्ता भौंक रहा है। बिल्ली": ["कुत्ता भौंक रहा है", "बिल्ली"],
    "犬が吠えている。猫": ["犬が吠えている", "猫"],
    "🐕 a dog 🎸": ["dog"],
    # nothing to find
    "": [],
    "   ": [],
    "...": [],
    "it is raining": [],
    "a picture of nothing": [],
    "' - ’": [],
    "2 3 4": [],
}


@pytest.mark.parametrize("caption", CAPTIONS)
def test_noun_phrases(caption: str) -> None:
    assert noun_phrases(caption) == CAPTIONS[caption]


def test_there_are_enough_examples() -> None:
    assert len(CAPTIONS) > 60


@pytest.mark.parametrize(
    "noun",
    [
        "dog",
        "fly",
        "bee",
        "building",
        "bed",
        "sled",
        "red-tailed-hawk",
        "drink",
        "ride",
        "show",
        "couple",
        "lot",
        "string",
        "king",
        "crossing",
        "opening",
        "herring",
        "breed",
        "biped",
        "weed",
        "thing",
        "stand",
        "play",
        "hold",
        "run",
        "photo",
        "picture",
        "group",
    ],
)
@pytest.mark.parametrize("sentence", ["a {}", "the {} on a table", "a man with a {}", "a {} and a man", "his {}"])
def test_any_noun_survives_after_an_article(noun: str, sentence: str) -> None:
    assert noun in noun_phrases(sentence.format(noun))


@given(st.text())
def test_any_text_gives_clean_phrases(text: str) -> None:
    phrases = noun_phrases(text)
    assert len(set(phrases)) == len(phrases)
    for phrase in phrases:
        assert phrase == " ".join(phrase.split())
        assert phrase == phrase.lower()
        assert any(character.isalnum() for character in phrase) or not phrase.isascii()
        assert phrase, "a detector cannot look for nothing"


@given(st.lists(st.sampled_from(["dog", "cat", "man", "piano", "street", "brown"]), max_size=6))
def test_plain_nouns_are_never_lost(nouns: list[str]) -> None:
    found = " ".join(noun_phrases(" and ".join(f"a {noun}" for noun in nouns))).split()
    assert found == list(dict.fromkeys(nouns))


# --------------------------------------------------------------------------------- spaCy
def test_without_spacy_the_message_is_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(MissingExtra, match=r'pip install "zsavs\[spacy\]"'):
        spacy_noun_phrases()


def fake_spacy(monkeypatch: pytest.MonkeyPatch, load: Any) -> None:
    module = ModuleType("spacy")
    module.load = load  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "spacy", module)


def test_without_its_pipeline_the_message_is_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str) -> Any:
        raise OSError(f"[E050] Can't find model {name}")

    fake_spacy(monkeypatch, load)
    with pytest.raises(MissingExtra, match="python -m spacy download en_core_web_sm"):
        spacy_noun_phrases()


def test_chunks_of_a_parser_lose_their_articles(monkeypatch: pytest.MonkeyPatch) -> None:
    def token(text: str, pos: str) -> Any:
        return SimpleNamespace(lower_=text.lower(), pos_=pos)

    chunks = [
        [token("A", "DET"), token("Brown", "ADJ"), token("dog", "NOUN")],
        [token("it", "PRON")],
        [token("the", "DET"), token("brown", "ADJ"), token("dog", "NOUN")],
    ]
    fake_spacy(monkeypatch, lambda _: lambda __: SimpleNamespace(noun_chunks=chunks))
    assert spacy_noun_phrases()("A Brown dog; the brown dog") == ["brown dog"]
