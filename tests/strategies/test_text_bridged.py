"""Query decomposition by label texts: how many sources, which, the embedding of each, and when to stop."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from joint_world import NAMES, World, unit
from numpy.typing import NDArray

from zsavs.algebra.directions import common_part
from zsavs.algebra.log_linear_pooling import log_linear, sure_share
from zsavs.calibration.scorers import AudioScorer, Usual, standardise
from zsavs.decomposition import attend, pursue
from zsavs.errors import InputError
from zsavs.strategies.joint_embedding import JointEmbedding
from zsavs.strategies.text_bridged import TextBridged
from zsavs.strategies.textual_inversion import TextualInversion
from zsavs.testing import toy
from zsavs.types import AudioClip, AVSample

COLOURS = tuple(toy.COLOURS)
SETTINGS: dict[str, Any] = {"top_k": 3, "min_z": 2.5, "max_gap": 2.0, "attention": 0.0}


LETTERS = tuple("abcdef")


def scorer(bank: Any, text: Any) -> Any:
    """What :func:`pursue` asks of a scorer, from rows: labels are those of the texts, in their order."""
    none = np.zeros((0, bank.shape[1]))
    usual = Usual(bank, text, none, none, blank=False)
    return SimpleNamespace(
        bank=SimpleNamespace(embeddings=bank),
        text=lambda labels: text,
        standardise=lambda rows, labels: standardise(rows, text, usual),
    )


class Flat:
    """A space without gap or noise: 12 axes, a label on each of the first six, a bank that varies evenly."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        self.bank = 0.1 * rng.standard_normal((400, 12))
        self.bank -= self.bank.mean(axis=0)
        self.text = np.eye(12)[:6]

    def scorer(self) -> Any:
        """A scorer in this space, whose labels are the numbers of its texts."""
        return scorer(self.bank, self.text)

    def sources(self, sound: Any, **settings: Any) -> list[tuple[int, float, NDArray[np.float32]]]:
        found = pursue(np.asarray(sound, float), self.scorer(), LETTERS, **(SETTINGS | settings))
        return [(source.label, source.z, source.embedding) for source in found]


def axes(**amounts: float) -> NDArray[np.float64]:
    """A mixture: ``axes(a=1, c=0.5)``."""
    row = np.zeros(12)
    for letter, amount in amounts.items():
        row["abcdefghijkl".index(letter)] = amount
    return row


# --------------------------------------------------------------------------- decomposition
def test_two_sources_and_what_each_is() -> None:
    (first, _, a), (second, _, c) = Flat().sources(unit(axes(a=0.75, c=0.66)))
    assert (first, second) == (0, 2)
    assert a[0] > 0.97
    assert abs(a[2]) < 0.25
    assert c[2] > 0.97


def test_what_is_left_must_be_above_usual() -> None:
    flat = Flat()
    assert [label for label, *_ in flat.sources(axes(a=0.97, c=0.2))] == [0]
    assert [label for label, *_ in flat.sources(axes(a=0.97, c=0.2), min_z=1.0, max_gap=99.0)] == [0, 2]
    assert [label for label, *_ in flat.sources(axes(a=0.97, c=0.2), min_z=1.0)] == [0], "too far below the first"
    assert flat.sources(axes(l=1.0)) == []


def test_at_most_top_k() -> None:
    mixture = unit(axes(a=1, b=0.9, c=0.8, d=0.7))
    for top_k in (0, 1, 2, 3, 4):
        assert len(Flat().sources(mixture, top_k=top_k, max_gap=99.0)) == top_k
    assert len(Flat().sources(mixture, top_k=50, max_gap=99.0, min_z=-99.0)) <= 6


def test_the_whole_may_have_a_say_in_what_the_next_source_is() -> None:
    """What the first source leaves is most like a label that the whole sound is unlike."""
    flat = Flat()
    flat.text[0] = unit(axes(a=0.9, d=-0.45))  # of the first label's text, a part is against the fourth's
    sound = unit(axes(a=1, b=0.35))
    heard = flat.scorer().standardise(sound[None], LETTERS)[0]
    assert heard.argsort()[-2:].tolist() == [1, 0]
    by_residual, by_whole = (flat.sources(sound, min_z=0.0, max_gap=99.0, top_k=2, whole=share) for share in (0.0, 1.0))
    assert [label for label, *_ in by_residual] == [0, 3]
    assert [label for label, *_ in by_whole] == [0, 1]
    assert by_residual[0][:1] == by_whole[0][:1]


def test_a_synonym_is_no_second_source() -> None:
    flat = Flat()
    flat.text[1] = unit(axes(a=0.9, b=np.sqrt(1 - 0.81)))
    one = unit(axes(a=1.0, j=0.3))
    heard = flat.scorer().standardise(one[None], LETTERS)[0]
    assert heard[1] > 2.5, "by itself it would be heard"
    assert [label for label, *_ in flat.sources(one, max_gap=99.0)] == [0]


def test_amounts_are_never_negative() -> None:
    """A label that would have to be taken away is left out, and the others are found all the same."""
    rng = np.random.default_rng(1)
    flat = Flat()
    for _ in range(50):
        flat.text = unit(np.eye(12)[:6] + 0.5 * rng.standard_normal((6, 12)))
        sound = unit(rng.standard_normal(12))
        found = flat.sources(sound, min_z=-99.0, max_gap=99.0, top_k=6)
        directions = (flat.text - common_part(flat.text))[[label for label, *_ in found]]
        amounts = np.linalg.lstsq(directions.T, sound - flat.bank.mean(axis=0), rcond=None)[0]
        assert len(found) < 2 or (amounts > 0).all()


def test_the_first_source_is_the_best_label_at_its_own_score() -> None:
    """So nothing is heard exactly where the label scores say so."""
    world = World()
    listen = AudioScorer(world, NAMES)
    for number in range(20):
        sound = world.encode_audio([world.sound(NAMES[number])])[0]
        z = listen.standardise(sound[None], NAMES)[0]
        (first,) = pursue(sound, listen, NAMES, **SETTINGS | {"top_k": 1, "min_z": -99.0})
        assert first.label == z.argmax()
        assert first.z == pytest.approx(z.max(), abs=1e-4)
        assert pursue(sound, listen, NAMES, **SETTINGS | {"min_z": float(z.max()) + 0.01}) == []


def test_attention_turns_towards_the_texts_and_keeps_the_length() -> None:
    own, directions = axes(a=0.6, k=0.8), np.eye(12)[:6]
    z = own @ directions.T / 0.1
    for share, cosine in ((0.0, 0.6), (1.0, 1.0)):
        turned = attend(own, z, directions, share)
        assert np.linalg.norm(turned) == pytest.approx(1.0)
        assert turned[0] == pytest.approx(cosine, abs=1e-3)
    assert 0.6 < attend(own, z, directions, 0.5)[0] < 1.0


def test_attention_moves_noisy_audio_to_the_clean_one() -> None:
    """In a noisy space, between no attention and half of it, every source's label stands out more."""
    world = World(noise=1.2, shift=0.0)
    bank = world.sound_bank.embeddings
    clean = unit(world.gap["sound"] + world.things + world.quirks["sound"]) - bank.mean(axis=0)
    nearer = []
    for number in range(30):
        sound = world.encode_audio([world.sound(NAMES[number])])[0]
        rows = [
            pursue(
                sound, AudioScorer(world, NAMES), NAMES, **SETTINGS | {"min_z": -99.0, "top_k": 1, "attention": share}
            )[0].embedding
            for share in (0.0, 0.5)
        ]
        before, after = (float(unit(row - bank.mean(axis=0)) @ unit(clean[number])) for row in rows)
        nearer.append(after > before)
    assert np.mean(nearer) > 0.85


# ------------------------------------------------------------------------------- pooling
def test_the_pool_is_the_product_of_both_answers() -> None:
    heard, seen = np.array([2.0, 0.0, -1.0]), np.array([0.0, 1.0, 3.0])
    product = np.exp(0.3 * heard) * np.exp(0.7 * seen)
    assert np.exp(log_linear(heard, seen, 0.3)) == pytest.approx(product)
    assert log_linear(heard[None, None], seen[None, :, None].repeat(3, 2), np.full((1, 3, 1), 0.5)).shape == (1, 3, 3)


def test_the_surer_side_counts_more() -> None:
    sure, unsure, middling = np.array([9.0, 0, 0]), np.zeros(3), np.array([2.0, 0, 0])
    assert sure_share(sure, unsure)[0] > 0.95
    assert sure_share(unsure, sure)[0] < 0.05
    assert sure_share(middling, middling)[0] == pytest.approx(0.5)
    assert sure_share(100 * sure, 50 * sure)[0] == pytest.approx(0.5), "both certain: no 0 / 0"
    assert sure_share(np.zeros((4, 1, 3)), np.zeros((1, 5, 3))) == pytest.approx(np.full((4, 5, 1), 0.5))


# ------------------------------------------------------------------------------- windows
def samples_of(*clips: AudioClip) -> list[AVSample]:
    return [AVSample(np.full((20, 20, 3), 128, np.uint8), clip) for clip in clips]


def then(*clips: AudioClip) -> AudioClip:
    return AudioClip(np.concatenate([clip.waveform for clip in clips], axis=1), clips[0].sample_rate_hz)


class Counting(toy.ToyJoint):
    """Remembers how long the clips were that it heard."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[int] = []

    def encode_audio(self, clips: Any) -> NDArray[np.float32]:
        self.heard += [clip.waveform.shape[1] for clip in clips]
        return super().encode_audio(clips)


def test_sources_one_after_the_other_are_both_heard_and_when() -> None:
    """A few seconds of one hum in half a minute of another one: lost in a mean over time, and not in their window."""
    clip = then(toy.tone("red", seconds=26), toy.tone("green", seconds=4))
    for strategy in (TextBridged(toy.ToyJoint(), COLOURS), JointEmbedding(toy.ToyJoint(), COLOURS)):
        (query,) = strategy.query(samples_of(clip))
        assert sorted(query.phrases) == ["green", "red"]
        assert query.times is not None
        times = dict(zip(query.phrases, query.times, strict=True))
        assert np.ravel(times["red"]) == pytest.approx([0, 26], abs=0.5)
        assert np.ravel(times["green"]) == pytest.approx([26, 30], abs=0.5)


def test_windows_are_equally_long_and_cover_what_is_audible() -> None:
    encoder = Counting()
    bridged = TextBridged(encoder, COLOURS)
    for seconds, count in ((1.0, 1), (4.0, 1), (4.5, 2), (6.0, 3), (60.0, 57)):
        encoder.heard = []
        bridged.query(samples_of(toy.tone("red", seconds=seconds)))
        assert len(encoder.heard) == count, seconds
        assert set(encoder.heard) == {int(16_000 * min(seconds, 4.0))}
    late = then(toy.tone(seconds=58), toy.tone("blue"))
    encoder.heard = []
    assert bridged.query(samples_of(late))[0].phrases == ("blue",)
    assert len(encoder.heard) == 1, "silence takes no part"


def test_a_label_is_one_row_of_however_many_windows() -> None:
    (query,) = TextBridged(toy.ToyJoint(), COLOURS).query(samples_of(toy.tone("red", seconds=9)))
    assert query.phrases == ("red",)


def test_a_label_is_as_sure_as_in_its_best_window() -> None:
    """Wherever that is, but for what the best of several gains by chance: the hum alone is heard better than in
    company."""
    bridged = TextBridged(toy.ToyJoint(), COLOURS)
    alone, company = toy.tone("red", seconds=4), toy.tone("red", "green", "blue", seconds=4)
    (best,), (worse,) = bridged.query(samples_of(alone)), bridged.query(samples_of(company))
    least = worse.weights[worse.phrases.index("red")]
    for clip in (then(alone, company), then(company, alone)):
        (query,) = bridged.query(samples_of(clip))
        assert least < query.weights[query.phrases.index("red")] <= best.weights[0]


def test_windows_of_a_batch_do_not_mix() -> None:
    clips = [toy.tone("red", seconds=9), toy.tone("blue"), toy.tone(seconds=7), toy.tone("green", "red", seconds=5)]
    bridged = TextBridged(toy.ToyJoint(), COLOURS)
    heard = [set(query.phrases) for query in bridged.query(samples_of(*clips))]
    assert heard == [{"red"}, {"blue"}, set(), {"green", "red"}]


def test_rows_of_a_mixture_differ_and_each_is_similar_to_its_own_source() -> None:
    (query,) = TextBridged(toy.ToyJoint(), COLOURS).query(samples_of(toy.tone("red", "green")))
    assert query.embeddings is not None
    alone = toy.ToyJoint().encode_audio([toy.tone(phrase) for phrase in query.phrases])
    similarity = query.embeddings @ alone.T
    assert similarity.diagonal().min() > 0.9
    assert similarity[~np.eye(2, dtype=bool)].max() < 0.3


def test_few_labels_are_not_confused_by_their_mean() -> None:
    """Of two labels the mean is half of each: taking one away must not put the other one in."""
    for vocabulary in (("red", "blue"), ("red",), ("red", "blue", "green")):
        (query,) = TextBridged(toy.ToyJoint(), vocabulary).query(samples_of(toy.tone("red")))
        assert query.phrases == ("red",)


def test_attention_and_the_say_of_the_whole_are_shares() -> None:
    for share in (-0.1, 1.1):
        with pytest.raises(InputError, match=f"attention and whole are shares and lie in .0, 1., got {share} and 0.0"):
            TextBridged(toy.ToyJoint(), COLOURS, attention=share)
        with pytest.raises(InputError, match=f"got 0.5 and {share}"):
            TextBridged(toy.ToyJoint(), COLOURS, whole=share)
        with pytest.raises(InputError, match=f"textual_inversion: whole is a share and lies in .0, 1., got {share}"):
            TextualInversion(toy.ToyJoint(), COLOURS, whole=share)
