"""Banks of a user's own files: whole or not at all, used only with their encoders, and named in every result."""

from __future__ import annotations

import copy
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image

import zsavs
from zsavs.build import build_encoders, build_parts
from zsavs.calibration import bank
from zsavs.calibration.make_bank import MIN_ITEMS, _read_audio, find_files, make_banks
from zsavs.calibration.scorers import standardise
from zsavs.calibration.user_bank import UserBank
from zsavs.cli.main import main
from zsavs.errors import InputError, OutputError
from zsavs.media.audio_file import load_audio
from zsavs.testing import toy

COUNT = MIN_ITEMS + 2


def toy_encoders() -> dict[str, Any]:
    return build_encoders("toy")


def nano_encoders() -> dict[str, Any]:
    return build_encoders("nano", "cpu")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Just enough short audio files and small images, in folders below one another."""
    root, rng = tmp_path_factory.mktemp("own"), np.random.default_rng(5)
    colours = list(toy.COLOURS)
    for number in range(COUNT):
        part = root / "audio" / str(number % 3) / "deep"
        part.mkdir(parents=True, exist_ok=True)
        (root / "images").mkdir(exist_ok=True)
        hum = toy.tone(colours[number % 6], sample_rate_hz=16_000).waveform[0][:8000]
        wave = 0.5 * hum + 0.02 * (1 + number) * rng.standard_normal(len(hum))
        soundfile.write(part / f"{number:02d}.wav", np.clip(wave, -1, 1), 16_000)
        sample, _ = toy.scene((colours[number % 6],), ("red",), size_hw=(40, 50 + number), seed=number)
        Image.fromarray(sample.image).save(root / "images" / f"{number:02d}.png")
    (root / "audio" / "notes.txt").write_text("not a recording, and no reason to complain")
    return root


@pytest.fixture(scope="module")
def nano_bank(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("bank")
    make_banks(nano_encoders, out, audio=files / "audio", images=files / "images")
    return out


# ------------------------------------------------------------------------------ what is computed
def test_rows_are_the_encoders_answers_in_the_order_of_the_names(files: Path, nano_bank: Path) -> None:
    encoder = build_parts(["audio_text"], "nano", "cpu")["audio_text"]
    sounds = next(b for b in UserBank(nano_bank).banks if b.kind == "sound_bank")
    paths = sorted((files / "audio").rglob("*.wav"))
    assert sounds.rows.shape[0] == len(paths) == COUNT
    for place in (0, COUNT - 1):
        (alone,) = encoder.encode_audio([load_audio(paths[place])])
        assert sounds.rows[place] == pytest.approx(alone, abs=1e-5)


def test_of_a_long_file_a_bank_reads_a_minute_in_excerpts(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", np.full(90_000, 0.1), 1000)
    assert _read_audio(tmp_path / "long.wav").duration_s == 60


def test_the_same_files_give_the_same_bytes(files: Path, nano_bank: Path, tmp_path: Path) -> None:
    make_banks(nano_encoders, tmp_path, audio=files / "audio", images=files / "images")
    assert (tmp_path / "bank.npz").read_bytes() == (nano_bank / "bank.npz").read_bytes()


def test_a_joint_encoder_gets_both_kinds(files: Path, tmp_path: Path) -> None:
    banks = make_banks(toy_encoders, tmp_path, audio=files / "audio", images=files / "images")
    assert [b.kind for b in banks] == ["sound_bank", "sound_bank", "picture_bank", "picture_bank"]
    joint = zsavs.build_pipeline("joint_embedding", preset="toy", bank=tmp_path).strategy.audio_scorer.encoder
    assert len(joint.sound_bank.embeddings) == len(joint.picture_bank.embeddings) == COUNT


# ------------------------------------------------------------------------------------ its use
def test_a_pipeline_scores_against_it_and_says_so(files: Path, nano_bank: Path) -> None:
    mine = zsavs.build_pipeline("audio_to_text", preset="nano", device="cpu", bank=nano_bank)
    usual = zsavs.build_pipeline("audio_to_text", preset="nano", device="cpu")
    clip = load_audio(next((files / "audio").rglob("*.wav")))
    hear = mine.strategy.audio_scorer
    rows = next(b for b in UserBank(nano_bank).banks if b.kind == "sound_bank").rows
    labels = list(mine.strategy.vocabulary)
    assert np.array_equal(hear.usual.bank, rows)
    assert np.array_equal(hear([clip], labels), standardise(hear.embed([clip]), hear.text(labels), hear.usual))
    assert np.abs(hear([clip], labels) - usual.strategy.audio_scorer([clip], labels)).max() > 0.5

    told = mine(zsavs.AVSample(np.zeros((32, 32, 3), np.uint8), clip)).meta["banks"]
    assert told["audio_text"]["sound_bank"].startswith(f"{COUNT} audio files in {(files / 'audio').resolve()} (0 could")
    assert told["image_text"]["picture_bank"].startswith(f"{COUNT} images in ")
    assert usual.meta["banks"]["audio_text"] == {"sound_bank": "shipped with the model"}


def test_the_encoder_of_others_stays_as_it_is_and_weights_are_shared(nano_bank: Path) -> None:
    before = zsavs.build_pipeline("audio_to_text", preset="nano", device="cpu")
    mine = [zsavs.build_pipeline(s, preset="nano", device="cpu", bank=nano_bank) for s in ("audio_to_text", "fused")]
    encoder = [pipe.strategy.audio_scorer.encoder for pipe in mine]
    assert encoder[0] is encoder[1], "two pipelines with one bank share their memos"
    assert encoder[0] is not before.strategy.audio_scorer.encoder
    assert encoder[0].model is before.strategy.audio_scorer.encoder.model
    assert not isinstance(before.strategy.audio_scorer.encoder.sound_bank, bank.Bank)


def test_without_a_bank_of_a_kind_the_encoders_own_is_used(files: Path, tmp_path: Path) -> None:
    make_banks(toy_encoders, tmp_path, audio=files / "audio")
    told = zsavs.build_pipeline("fused", preset="toy", bank=tmp_path).meta["banks"]
    assert told["image_text"] == {"picture_bank": "shipped with the model"}
    assert "audio files" in told["audio_text"]["sound_bank"]


def test_a_bank_of_another_model_is_refused(nano_bank: Path) -> None:
    with pytest.raises(
        InputError,
        match=r"computed with clap:zsavs:nano/clap, imagebind:zsavs:nano/joint, and the audio_text encoder is toy",
    ):
        zsavs.build_pipeline("audio_to_text", preset="toy", bank=nano_bank)


def test_a_bank_of_the_same_model_with_other_weights_is_refused(nano_bank: Path) -> None:
    encoder = copy.copy(build_parts(["audio_text"], "nano", "cpu")["audio_text"])
    answer = encoder.encode_audio
    encoder.encode_audio = lambda clips: answer(clips)[:, ::-1]  # the name of the space is the same
    with pytest.raises(InputError, match="other weights"):
        UserBank(nano_bank).calibrated(encoder, "audio_text")


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 half an archive", b"text"])
def test_a_folder_without_a_whole_bank_is_refused(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "bank.npz").write_bytes(content)
    with pytest.raises(InputError, match="zsavs calibrate"):
        zsavs.build_pipeline("fused", preset="toy", bank=tmp_path)


# ------------------------------------------------------------------------------- the user's files
def test_what_cannot_be_read_is_reported_and_left_out(
    files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    audio = tmp_path / "audio"
    audio.mkdir()
    (audio / "good").symlink_to(files / "audio")
    (audio / "broken.wav").write_bytes(b"RIFF, and nothing after it")
    (audio / "empty.mp3").touch()
    (audio / "gone.flac").symlink_to(tmp_path / "nowhere")
    out = tmp_path / "bank"
    assert main(["calibrate", "--preset", "toy", "--audio", str(audio), "--out", str(out)]) == 0
    said = capsys.readouterr()
    for name in ("broken.wav", "empty.mp3", "gone.flac"):
        assert sum(name in line for line in said.err.splitlines() if "left out" in line) == 1
    assert f"{COUNT} audio files in {audio.resolve()} (3 could not be read)" in said.out
    assert "notes.txt" not in said.err
    assert len(UserBank(out).banks[0].rows) == COUNT


def test_links_that_lead_in_a_circle_and_twice_to_one_place(files: Path, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "up").symlink_to(tmp_path)
    (tmp_path / "a" / "self").symlink_to(tmp_path / "a" / "self")
    (tmp_path / "a" / "self.wav").symlink_to(tmp_path / "a" / "self.wav")
    for name in ("b", "c"):
        (tmp_path / name).symlink_to(files / "audio")
    (tmp_path / "again.wav").symlink_to(next((files / "audio").rglob("00.wav")))
    found = find_files(tmp_path, (".wav",), 1000)
    # The link to itself is a file that cannot be read, and is reported as one.
    assert [path for path in found if not path.exists()] == [tmp_path / "a" / "self.wav"]
    assert sorted(os.path.realpath(path) for path in found if path.exists()) == sorted(
        str(path) for path in (files / "audio").rglob("*.wav")
    )


def test_of_many_files_some_are_chosen_by_their_names_alone(tmp_path: Path) -> None:
    for place, names in (("one", range(200)), ("two", reversed(range(200)))):
        (tmp_path / place).mkdir()
        for number in names:
            (tmp_path / place / f"{number}.WAV").touch()
    chosen = [[p.name for p in find_files(tmp_path / place, (".wav",), 50)] for place in ("one", "two")]
    assert chosen[0] == chosen[1] == sorted(chosen[0])
    assert len(chosen[0]) == 50
    assert 60 < np.mean([int(name.split(".")[0]) for name in chosen[0]]) < 140, "not the first ones, nor the last"


def test_too_few_are_refused_with_the_reason(files: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    some, out = tmp_path / "some", tmp_path / "bank"
    some.mkdir()
    for path in sorted((files / "audio").rglob("*.wav"))[: MIN_ITEMS - 1]:
        (some / path.name).symlink_to(path)
    assert main(["calibrate", "--preset", "toy", "--audio", str(some), "--out", str(out)]) == 1
    assert f"{MIN_ITEMS - 1} audio files. A bank needs at least {MIN_ITEMS}" in capsys.readouterr().err
    (some / "broken.wav").write_bytes(b"no sound")  # enough names, too few audio files
    assert main(["calibrate", "--preset", "toy", "--audio", str(some), "--out", str(out)]) == 1
    assert "1 of 32 cannot be read" in capsys.readouterr().err
    assert not out.exists()


def test_copies_of_one_file_are_no_bank(files: Path, tmp_path: Path) -> None:
    data = next((files / "images").iterdir()).read_bytes()
    for number in range(COUNT):
        (tmp_path / f"{number}.png").write_bytes(data)
    with pytest.raises(InputError, match=f"1 different images; {COUNT} are there"):
        make_banks(toy_encoders, tmp_path / "bank", images=tmp_path)


def test_a_bank_that_could_not_be_written_is_not_computed(files: Path, tmp_path: Path) -> None:
    (tmp_path / "bank").write_bytes(b"something else")
    embedded: list[int] = []
    with pytest.raises(OutputError, match="is a file"):
        make_banks(nano_encoders, tmp_path / "bank", audio=files / "audio", on_start=embedded.append)
    assert not embedded


def test_a_failure_leaves_the_earlier_bank(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_banks(toy_encoders, tmp_path, audio=files / "audio")
    before = (tmp_path / "bank.npz").read_bytes()
    monkeypatch.setattr(np, "savez", lambda file, **_: file.write(b"half") and (_ for _ in ()).throw(OSError("full")))
    with pytest.raises(OutputError, match="full"):
        make_banks(toy_encoders, tmp_path, images=files / "images")
    assert [path.name for path in tmp_path.iterdir()] == ["bank.npz"]
    assert (tmp_path / "bank.npz").read_bytes() == before


def test_ctrl_c_is_130_and_leaves_nothing(files: Path, tmp_path: Path) -> None:
    out = tmp_path / "bank"
    script = (
        "import signal, sys; from zsavs.calibration import make_bank; from zsavs.cli.main import main\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored where the tests run in the background
        "read = make_bank._MEDIA['picture_bank'].read\n"
        "def slowly(path):\n"
        "    import time; print('reading', flush=True); time.sleep(0.2); return read(path)\n"
        "make_bank._MEDIA['picture_bank'] = make_bank._MEDIA['picture_bank']._replace(read=slowly)\n"
        f"words = ['--preset', 'toy', '--images', {str(files / 'images')!r}, '--out', {str(out)!r}]\n"
        "sys.exit(main(['calibrate', *words]))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "reading\n"
    time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "no bank was written" in said
    assert not out.exists()


# -------------------------------------------------------------------------------- command line
def test_segment_and_eval_take_it(
    files: Path, nano_bank: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    image = str(next((files / "images").iterdir()))
    sound = str(next((files / "audio").rglob("*.wav")))
    words = ["--preset", "nano", "--device", "cpu", "--bank", str(nano_bank), "--out", str(tmp_path / "out")]
    assert main(["segment", image, sound, "--strategy", "fused", *words]) == 0
    saved = zsavs.AVSResult.load(next((tmp_path / "out").glob("*.json")))
    assert str(COUNT) in saved.meta["banks"]["audio_text"]["sound_bank"]
    capsys.readouterr()
    make_banks(toy_encoders, tmp_path / "toy", audio=files / "audio")
    run = ["eval", "--dataset", "orchestra", "--preset", "toy", "--strategy", "fused", "--limit", "1"]
    assert main([*run, "--out", str(tmp_path / "run")]) == 0
    assert main([*run, "--out", str(tmp_path / "run"), "--bank", str(tmp_path / "toy")]) == 1
    assert "other settings" in capsys.readouterr().err


def test_calibrate_without_files_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["calibrate", "--preset", "toy"]) == 2
    assert "--audio DIR" in capsys.readouterr().err
