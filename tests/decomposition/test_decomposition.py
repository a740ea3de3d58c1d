"""Audio clips decomposed: each method separates what it claims to, noise stays whole, any strategy may use them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from joint_world import NAMES, World
from numpy.typing import NDArray
from toy_strategies import AUDIO_TEXT, COLOURS, IMAGE_TEXT, JOINT, STRATEGIES

import zsavs
from zsavs import testing
from zsavs.datasets.orchestra import Orchestra
from zsavs.decomposition import Component, Decomposed
from zsavs.decomposition.decomposed_strategy import merge
from zsavs.decomposition.embedded_clip import EmbeddedClip, EmbeddedClipEncoder
from zsavs.decomposition.nmf import SpectrogramNMF, divergence, factorise
from zsavs.decomposition.sparse import SparseText
from zsavs.decomposition.windows import SlidingWindows, average_link, cut
from zsavs.errors import ContractError, InputError, UnknownName
from zsavs.media.activity import active_times, overlap, unite
from zsavs.media.spectrogram import istft, stft
from zsavs.strategies.audio_to_text import AudioToText
from zsavs.strategies.cross_modal import CrossModal
from zsavs.strategies.fused import Fused
from zsavs.strategies.joint_embedding import JointEmbedding
from zsavs.strategies.text_bridged import TextBridged
from zsavs.testing import toy
from zsavs.types import AudioClip, AVSample, Query

RATE = 16_000
SOUNDS = {"windows": SlidingWindows(AUDIO_TEXT), "nmf": SpectrogramNMF()}  # those whose components are sounds
Wave = NDArray[np.float64]


def clip_of(wave: Any) -> AudioClip:
    return AudioClip(np.atleast_2d(wave).astype(np.float32), RATE)


def after(*colours: str, seconds: float = 2.0) -> AudioClip:
    """Hums one after the other."""
    waves = [toy.tone(colour, seconds=seconds).waveform for colour in colours]
    return AudioClip(np.concatenate(waves, axis=1), RATE)


def swelling(colour: str, rate_hz: float, seconds: float = 3.0) -> Wave:
    """A hum that swells and fades ``rate_hz`` times a second."""
    time = np.arange(int(seconds * RATE)) / RATE
    envelope = 0.5 - 0.5 * np.cos(2 * np.pi * rate_hz * time)
    return np.asarray(0.3 * envelope * np.sin(2 * np.pi * toy.PITCHES_HZ[colour] * time))


def noise(seed: int, slope: float, seconds: float = 3.0) -> AudioClip:
    """White to brown noise."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(int(seconds * RATE)))
    spectrum /= np.maximum(np.arange(len(spectrum)), 1) ** (slope / 2)
    wave = np.fft.irfft(spectrum)
    return clip_of(0.5 * wave / np.abs(wave).max())


def pitch_share(clip: AudioClip, colour: str) -> float:
    """Share of a clip's power at a colour's pitch."""
    return float(AUDIO_TEXT.encode_audio([clip])[0, COLOURS.index(colour)] ** 2)


def image(audio: AudioClip, *visible: str) -> AVSample:
    return replace(toy.scene(visible or ("red", "blue"), ())[0], audio=audio)


# ---------------------------------------------------------------------------- spectrograms
@given(st.integers(1, 700), st.sampled_from([2, 64, 130]), st.integers(1, 2))
def test_a_spectrogram_is_inverted_to_its_audio(samples: int, length: int, channels: int) -> None:
    wave = np.random.default_rng(samples).standard_normal((channels, samples)).astype(np.float32)
    spectrogram = stft(wave, length)
    assert spectrogram.shape == (channels, length // 2 + 1, 1 - (-samples // (length // 2)))
    np.testing.assert_allclose(istft(spectrogram, length, samples), wave, rtol=0, atol=1e-5)


# ----------------------------------------------------------------------------------- times
def test_the_times_at_which_a_clip_sounds() -> None:
    wave = np.zeros(6 * RATE)
    wave[RATE : 2 * RATE] = wave[4 * RATE : 5 * RATE] = 0.1
    (on, off), (again, end) = active_times(clip_of(wave))
    assert (on, off, again, end) == pytest.approx((1, 2, 4, 5), abs=0.051)


def test_silence_sounds_never_and_a_short_gap_is_part_of_a_sound() -> None:
    assert active_times(clip_of(np.zeros(RATE))) == ()
    wave = np.full(2 * RATE, 0.1)
    wave[RATE : RATE + RATE // 5] = 0
    assert active_times(clip_of(wave)) == ((0.0, 2.0),)


def test_sets_of_times() -> None:
    assert unite([(3.0, 4.0), (0.0, 1.0), (1.2, 2.0)], gap_s=0.5) == ((0.0, 2.0), (3.0, 4.0))
    assert unite([(0.0, 5.0), (1.0, 2.0)]) == ((0.0, 5.0),)
    assert overlap(((0.0, 2.0), (3.0, 5.0)), ((1.0, 4.0),)) == ((1.0, 2.0), (3.0, 4.0))
    assert overlap(((0.0, 1.0),), ((1.0, 2.0),)) == ()


# --------------------------------------------------------------------------------- windows
def test_windows_separate_sources_one_after_the_other() -> None:
    (components,) = SOUNDS["windows"].decompose([after("red", "blue", "red")])
    red, blue = (max(components, key=lambda part, c=c: pitch_share(part.clip, c)) for c in ("red", "blue"))
    assert pitch_share(red.clip, "red") > 0.65
    assert pitch_share(blue.clip, "blue") > 0.8
    assert np.ravel(red.times) == pytest.approx((0, 2, 4, 6), abs=0.5)
    assert np.ravel(blue.times) == pytest.approx((2, 4), abs=0.5)


def test_windows_do_not_decompose_what_sounds_alike_all_along() -> None:
    assert SOUNDS["windows"].decompose([toy.tone("red", "blue", seconds=4.0), clip_of(np.zeros(RATE))]) == [[], []]


def test_pauses_are_not_encoded() -> None:
    """Silence between two sounds is no third source, and no time of either."""
    pause = clip_of(np.zeros(3 * RATE))
    whole = clip_of(np.concatenate([toy.tone("red").waveform[0], pause.waveform[0], toy.tone("blue").waveform[0]]))
    (components,) = SOUNDS["windows"].decompose([whole])
    assert components
    for component in components:
        assert overlap(component.times, ((2.5, 4.5),)) == ()


def test_average_link_joins_the_most_alike_first() -> None:
    angles = np.radians([0, 10, 80, 95, 200])
    rows = np.stack([np.cos(angles), np.sin(angles)], axis=1) * [[1], [5], [2], [1], [3]]
    assert average_link(rows, 0.9) == [[0, 1], [2, 3], [4]]
    assert average_link(rows, -1.0) == [[0, 1, 2, 3, 4]]
    assert average_link(rows[:0], 0.5) == []


@given(st.floats(0.05, 3.0), st.integers(1, 9))
def test_windows_are_equally_long_and_reach_both_ends(window_s: float, most: int) -> None:
    clip = after("red", seconds=2.0)
    windows = cut(clip, window_s, most)
    assert len(windows) <= most
    assert windows[0][0] == 0
    assert len({part.waveform.shape for _, part in windows}) == 1
    if most > 1:
        assert windows[-1][0] + windows[-1][1].duration_s == pytest.approx(2.0, abs=1e-3)


# ------------------------------------------------------------------------------------- nmf
def test_nmf_separates_sources_at_once() -> None:
    red, blue = swelling("red", 0.7), swelling("blue", 1.3)
    (components,) = SOUNDS["nmf"].decompose([clip_of(red + blue)])
    for colour, alone in (("red", red), ("blue", blue)):
        part = max(components, key=lambda part, c=colour: pitch_share(part.clip, c))
        assert pitch_share(part.clip, colour) > 0.95
        assert float(np.corrcoef(part.clip.waveform[0], alone)[0, 1]) > 0.95


def test_nmf_gives_the_times_of_each_note() -> None:
    """Two long notes of which one sets in later: they sound together in between."""
    red, blue = toy.tone("red", seconds=4.0).waveform[0].copy(), toy.tone("blue", seconds=4.0).waveform[0].copy()
    red[int(2.5 * RATE) :] = 0
    blue[: int(1.5 * RATE)] = 0
    (components,) = SOUNDS["nmf"].decompose([clip_of(red + blue)])
    for colour, (on, off) in (("red", (0.0, 2.5)), ("blue", (1.5, 4.0))):
        part = max(components, key=lambda part, c=colour: pitch_share(part.clip, c))
        assert (part.times[0][0], part.times[-1][1]) == pytest.approx((on, off), abs=0.2)


def test_components_add_up_to_the_clip_channel_by_channel() -> None:
    red, blue = swelling("red", 0.7), swelling("blue", 1.3)
    clip = clip_of([0.8 * red + 0.1 * blue, 0.2 * red + 0.9 * blue])
    (components,) = SOUNDS["nmf"].decompose([clip])
    assert len(components) > 1
    np.testing.assert_allclose(sum(part.clip.waveform for part in components), clip.waveform, rtol=0, atol=0.02)


@pytest.mark.parametrize("slope", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_noise_is_not_decomposed_into_sources(seed: int, slope: float) -> None:
    """Brown noise, most of it in a few cells, may become two components, without more evidence than the noise."""
    clip = noise(seed, slope)
    assert slope == 2.0 or SOUNDS["nmf"].decompose([clip]) == [[]]
    for method in SOUNDS.values():
        assert not len(Decomposed(STRATEGIES["audio_to_text"], method).query([image(clip)])[0])


def test_one_steady_tone_is_one_source() -> None:
    assert SOUNDS["nmf"].decompose([toy.tone("red"), toy.tone(), clip_of([[0.5]])]) == [[], [], []]


def test_no_update_makes_a_factorisation_worse() -> None:
    rng = np.random.default_rng(0)
    magnitudes = rng.random((30, 40)).astype(np.float32) + 0.01
    factors = rng.random((30, 3)).astype(np.float32), rng.random((3, 40)).astype(np.float32)
    before = divergence(magnitudes, factors[0] @ factors[1])
    for _ in range(10):
        factors = factorise(magnitudes, *factors, 1)
        now = divergence(magnitudes, factors[0] @ factors[1])
        assert now <= before * (1 + 1e-5)
        before = now


def test_the_same_clip_gives_the_same_bits() -> None:
    wave = swelling("red", 0.7) + swelling("blue", 1.3)
    (one,), (other,) = (SpectrogramNMF().decompose([clip_of(wave.copy())]) for _ in range(2))
    assert len(one) == len(other) > 1
    for a, b in zip(one, other, strict=True):
        assert a.times == b.times
        assert a.clip.waveform.tobytes() == b.clip.waveform.tobytes()


# ---------------------------------------------------------------------------------- sparse
def loud_sound(world: World, *names: str) -> AudioClip:
    """The world reads the first sample only; the others make the clip loud enough."""
    wave = world.sound(*names).waveform.copy()
    wave[0, 1:] = 0.1
    return AudioClip(wave, RATE)


def test_sparse_coding_finds_both_labels_of_one_embedding() -> None:
    world = World(0, noise=0.3, quirk=0.2, shift=0.0)
    sparse = SparseText(world, NAMES)
    alone = AudioToText(sparse.component_encoder, NAMES, top_k=1)  # type: ignore[arg-type]
    pairs = [(NAMES[i], NAMES[i + 7]) for i in range(8)]
    samples = [image(loud_sound(world, *pair)) for pair in pairs]
    both = Decomposed(alone, sparse).query(samples)
    assert all(len(query) == 1 for query in alone.query(samples))
    assert sum(set(query.phrases) == set(pair) for query, pair in zip(both, pairs, strict=True)) >= 6
    assert all(query.times == (((0.0, 1.0),),) * len(query) for query in both if len(query) > 1)


def test_embedded_clips_and_others_are_encoded_in_one_batch() -> None:
    encoder = EmbeddedClipEncoder(AUDIO_TEXT)
    own = np.eye(8, dtype=np.float32)[3]
    given, red, blue = (
        EmbeddedClip(np.zeros((1, 9), np.float32), RATE, "", own, "toy"),
        toy.tone("red"),
        toy.tone("blue"),
    )
    assert encoder.encode_audio([red, given, blue]).tolist() == [
        AUDIO_TEXT.encode_audio([red])[0].tolist(),
        own.tolist(),
        AUDIO_TEXT.encode_audio([blue])[0].tolist(),
    ]
    assert encoder.encode_audio([given]).tolist() == [own.tolist()]
    assert encoder.card is AUDIO_TEXT.card
    with pytest.raises(ContractError, match="space 'clap' is of no use in 'toy'"):
        encoder.encode_audio([replace(given, space="clap")])


def test_an_embedded_clip_is_not_cut_into_windows_that_are_not_its_own() -> None:
    """Windows shorter than the component: what they hold is everything that sounds there."""
    audio_text = toy.ToyJoint()
    own = audio_text.encode_audio([toy.tone("blue")])[0]
    source = EmbeddedClip(toy.tone("red", seconds=4.0).waveform, RATE, "", own, audio_text.space)
    bridged = TextBridged(EmbeddedClipEncoder(audio_text), COLOURS)  # type: ignore[arg-type]
    assert [query.phrases for query in bridged.query([image(source)])] == [("blue",)]
    assert cut(source, 1.0, 8) == [(0.0, source)]


def test_strategies_that_cannot_encode_components_are_refused_by_name() -> None:
    for name in ("classify", "caption"):
        with pytest.raises(InputError, match=f"strategy '{name}' has no encoder.*'windows' or 'nmf'"):
            zsavs.build_pipeline(name, preset="toy", decomposition="sparse")
    with pytest.raises(
        InputError, match=r"factorises audio tokens.*'windows' or 'nmf'"
    ):  # those of the whole would be heard
        zsavs.build_pipeline("cofactorization", preset="toy", decomposition="sparse")
    assert not hasattr(EmbeddedClipEncoder(AUDIO_TEXT), "encode_audio_tokens")
    with pytest.raises(InputError, match="needs a strategy's name"):
        zsavs.build_pipeline(STRATEGIES["fused label"], preset="toy", decomposition="sparse")
    with pytest.raises(UnknownName, match="windows"):
        zsavs.build_pipeline("fused", preset="toy", decomposition="window")
    with pytest.raises(InputError, match="decompose"):
        zsavs.build_pipeline("fused", preset="toy", decomposition=SpectrogramNMF)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "make",
    [
        lambda: SpectrogramNMF(min_gain=1.0),
        lambda: SpectrogramNMF(max_components=0),
        lambda: SlidingWindows(AUDIO_TEXT, window_s=0),
        lambda: SparseText(AUDIO_TEXT, COLOURS, top_k=0),
    ],
)
def test_settings_out_of_range_are_refused(make: Any) -> None:
    with pytest.raises(InputError, match="must be"):
        make()


def test_windows_say_how_much_of_a_file_they_hear(caplog: pytest.LogCaptureFixture) -> None:
    clip = after("red", "blue", seconds=3.0)
    for file, said in (("", 0), ("bark.wav", 1)):
        SlidingWindows(AUDIO_TEXT, max_windows=3).decompose([AudioClip(clip.waveform, RATE, file)])
        assert len(caplog.records) == said
    assert caplog.records[0].getMessage() == (
        "bark.wav: 6.0 s long; the decomposition by windows hears 3 of 1 s, evenly spaced (max_windows=3)."
    )
    SlidingWindows(AUDIO_TEXT, max_windows=11).decompose([AudioClip(clip.waveform, RATE, "bark.wav")])
    assert len(caplog.records) == 1


# ------------------------------------------------------------------------------- merging
def asked(times: bool = False, **weights: float) -> Query:
    return Query(tuple(weights), np.array(list(weights.values()), np.float32))


def part(*times: tuple[float, float]) -> Component:
    return Component(toy.tone("red"), times)


def test_merging_keeps_the_largest_weight_and_all_times() -> None:
    whole = asked(dog=0.9, cat=0.6)
    heard = [asked(dog=0.95, bell=0.9), asked(dog=0.7, cat=0.99), asked(bell=0.55)]
    merged = merge(whole, heard, [part((0.0, 1.0)), part((2.0, 3.0)), part((5.0, 6.0))])
    assert merged.phrases == ("dog", "cat", "bell")
    paid = lambda p: p / (p + 3 * (1 - p))  # noqa: E731
    assert merged.weights == pytest.approx([0.9, paid(0.99), paid(0.9)], abs=1e-6)
    assert merged.times == (((0.0, 1.0), (2.0, 3.0)), ((2.0, 3.0),), ((0.0, 1.0), (5.0, 6.0)))


def test_a_chance_finding_of_one_component_in_many_is_dropped() -> None:
    parts = [part((0.0, 1.0))] * 4
    nothing = [asked()] * 3
    assert merge(asked(), [asked(bell=0.75), *nothing], parts).phrases == ()
    assert merge(asked(), [asked(bell=0.85), *nothing], parts).phrases == ("bell",)


def test_rows_of_the_whole_alone_stay_and_get_no_times() -> None:
    merged = merge(asked(dog=0.9), [asked(cat=0.95), asked()], [part((0.0, 1.0)), part((1.0, 2.0))])
    assert merged.phrases == ("dog", "cat")
    assert merged.times == ((), ((0.0, 1.0),))


def test_each_source_brings_its_own_embedding_and_prior() -> None:
    def row(value: float, **weights: float) -> Query:
        rows = np.full((len(weights), 2), value, np.float32)
        return replace(asked(**weights), embeddings=rows, space="s", prior=np.full((1, 3), value, np.float32))

    merged = merge(
        row(0.1, dog=0.9, hum=0.8), [row(0.2, dog=0.8), row(0.3, dog=0.95, cat=0.99)], [part((0.0, 1.0))] * 2
    )
    assert merged.embeddings is not None
    assert merged.prior is not None
    assert merged.embeddings[:, 0] == pytest.approx([0.3, 0.1, 0.3])
    assert merged.prior[:, 0, 0] == pytest.approx([0.3, 0.1, 0.3])
    assert merged.prior.shape == (3, 1, 3)


def test_notes_on_components_stand_beside_those_on_the_whole() -> None:
    def noted(steps: int) -> Query:
        return replace(asked(dog=0.9), notes={"steps": steps}, seconds={"climb": float(steps)})

    merged = merge(noted(1), [noted(2), noted(4)], [part((0.0, 1.0))] * 2)
    assert merged.notes == {"steps": 1, "components": [{"steps": 2}, {"steps": 4}]}
    assert merged.seconds == {"climb": 7.0}
    assert merge(asked(dog=0.9), [asked(dog=0.9)], [part((0.0, 1.0))]).notes == {}


def test_queries_that_do_not_fit_together_are_refused() -> None:
    small, wide = (replace(asked(dog=0.9), prior=np.ones((1, n), np.float32)) for n in (2, 3))
    other = replace(wide, phrases=("cat",))
    with pytest.raises(ContractError, match="several shapes"):
        merge(small, [other, other], [part((0.0, 1.0))] * 2)


# --------------------------------------------------------------------------- any strategy
#: Three samples of a contract, of two sizes, a second of each.
SHORT = [replace(sample, audio=clip_of(sample.audio.waveform[:, :RATE])) for sample in testing.example_samples()[1:4]]


@pytest.mark.parametrize("method", SOUNDS)
@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_keeps_its_contract_under_every_decomposition(name: str, method: str) -> None:
    testing.check_strategy(Decomposed(STRATEGIES[name], SOUNDS[method]), SHORT)


def test_strategies_keep_their_contract_with_embedded_components() -> None:
    for audio_text in (AUDIO_TEXT, JOINT):
        sparse = SparseText(audio_text, COLOURS)
        encoder: Any = sparse.component_encoder
        for strategy in (
            AudioToText(encoder, COLOURS),
            CrossModal(toy.ToyCaptioner(), encoder),
            Fused(encoder, IMAGE_TEXT, COLOURS),
            *([JointEmbedding(encoder, COLOURS)] if audio_text is JOINT else []),
        ):
            testing.check_strategy(Decomposed(strategy, sparse), SHORT)


def test_a_batch_of_clips_of_many_lengths_equals_them_one_by_one() -> None:
    clips = [after("red", "blue"), toy.tone("green"), after("blue"), clip_of(np.zeros(RATE)), noise(0, 1.0)]
    for method in SOUNDS.values():
        strategy = Decomposed(STRATEGIES["audio_to_text"], method)
        together = strategy.query([image(clip) for clip in clips])
        for clip, query in zip(clips, together, strict=True):
            (alone,) = strategy.query([image(clip_of(clip.waveform.copy()))])
            assert (alone.phrases, alone.times) == (query.phrases, query.times)
            assert alone.weights == pytest.approx(query.weights, abs=1e-5)


@pytest.mark.parametrize(
    ("method", "audio"),
    [
        ("windows", after("red", "blue")),
        ("nmf", clip_of(swelling("red", 0.7) + 0.5 * swelling("blue", 1.3))),
        ("sparse", toy.tone("red", "blue")),
    ],
)
def test_a_decomposition_finds_both_of_two_sources(method: str, audio: AudioClip) -> None:
    """In pixels: the strategy alone, which asks for one thing, leaves one of them out."""
    sample = image(audio, "red", "green", "blue")
    alone, apart = (
        zsavs.build_pipeline("audio_to_text", preset="toy", top_k=1, decomposition=name)(sample)
        for name in (None, method)
    )
    assert len(alone) == 1
    assert sorted(apart.phrases) == ["blue", "red"]
    assert apart.queries.times is not None
    assert all(apart.queries.times)
    assert (alone.meta["decomposition"], apart.meta["decomposition"]) == (None, method)


def test_strategies_in_one_pass_share_components() -> None:
    clip = clip_of(swelling("red", 0.7) + swelling("blue", 1.3))
    one, other = (SpectrogramNMF().decompose([clip])[0] for _ in range(2))
    assert one
    assert all(a.clip is b.clip for a, b in zip(one, other, strict=True))


# ------------------------------------------------------------------------------------ nano
@pytest.fixture(scope="module")
def scenes() -> Orchestra:
    return Orchestra()


@pytest.fixture(scope="module")
def loaded() -> Any:
    """A pipeline that keeps the models in memory, from which all pipelines of these tests take them."""
    return nano(None)


def nano(decomposition: str | None, **settings: Any) -> Any:
    return zsavs.build_pipeline(
        "audio_to_text", preset="nano", device="cpu", decomposition=decomposition, **settings
    ).strategy


def samples_of(scenes: Orchestra, group: str, most: int) -> list[tuple[AVSample, tuple[str, ...]]]:
    """The first scenes of a group, and what is heard in each."""
    items = [item for item in scenes if scenes.scenes[item].group == group][:most]
    return [(scenes.load(item).sample, scenes.scenes[item].heard) for item in items]


def test_a_trained_encoder_finds_sources_one_after_the_other(scenes: Orchestra, loaded: Any) -> None:
    """Maracas for three seconds, a trumpet for one."""
    (first, (one,)), (second, (other,)) = samples_of(scenes, "single", 2)
    rate = first.audio.sample_rate_hz
    waves = first.audio.waveform[:, : 3 * rate], second.audio.waveform[:, :rate]
    sample = replace(first, audio=AudioClip(np.concatenate(waves, axis=1), rate))
    (alone,) = nano(None, top_k=1).query([sample])
    (apart,) = nano("windows", top_k=1).query([sample])
    assert len(alone) == 1
    assert set(apart.phrases) == {one, other}
    times = dict(zip(apart.phrases, apart.times, strict=True))
    assert (times[one][0][0], times[one][-1][1]) == pytest.approx((0, 3), abs=1.0)
    assert (times[other][0][0], times[other][-1][1]) == pytest.approx((3, 4), abs=1.0)


#: How many scenes of a group; all sixteen are slow.
MOST = [6, pytest.param(16, marks=pytest.mark.full)]


@pytest.mark.parametrize("most", MOST)
@pytest.mark.parametrize("method", ["nmf", "sparse"])
def test_a_trained_encoder_finds_more_of_sources_at_once(
    scenes: Orchestra, loaded: Any, method: str, most: int
) -> None:
    """With one row for each query, so that the strategy alone finds one of each two."""
    two = samples_of(scenes, "two", most)
    samples = [sample for sample, _ in two]
    alone, apart = (nano(name, top_k=1).query(samples) for name in (None, method))

    def right(queries: Sequence[Query]) -> int:
        return sum(len(set(query.phrases) & set(heard)) for query, (_, heard) in zip(queries, two, strict=True))

    wrong = sum(len(set(query.phrases) - set(heard)) for query, (_, heard) in zip(apart, two, strict=True))
    assert right(apart) >= right(alone) + 3
    assert wrong <= most / 8


@pytest.mark.parametrize("most", MOST)
@pytest.mark.parametrize("method", ["windows", "nmf", "sparse"])
def test_parts_of_noise_and_silence_lead_to_nothing(scenes: Orchestra, loaded: Any, method: str, most: int) -> None:
    samples = [sample for group in ("noise", "silence") for sample, _ in samples_of(scenes, group, most)]
    pipe = zsavs.build_pipeline("audio_to_text", preset="nano", device="cpu", decomposition=method)
    assert sum(len(query) for query in pipe.query(samples)) <= 1, "one part in all of them may sound like something"
    assert [len(result) for result in pipe.map(samples)] == [0] * len(samples)
