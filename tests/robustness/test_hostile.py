"""Files and arrays that mean harm, or look as if they did: refused in a line, within bounds of time and memory."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from limits import bounded
from PIL import Image

import zsavs
from zsavs import AudioClip, AVSample, AVSResult
from zsavs.build import compare
from zsavs.calibration.user_bank import UserBank
from zsavs.cli.main import main
from zsavs.datasets.folder import Folder
from zsavs.datasets.masks import read_mask
from zsavs.datasets.trees import load_json, read_table
from zsavs.errors import (
    AudioError,
    ContractError,
    ImageError,
    InputError,
    OutputError,
    ResultFileError,
    UnknownName,
    VocabularyError,
    WeightsError,
    ZsavsError,
)
from zsavs.language.sound_sources import LabelPhrases
from zsavs.language.vocabulary import load_vocabulary
from zsavs.media.audio_file import load_audio
from zsavs.media.image_file import load_image
from zsavs.media.regions import crop_with_margin
from zsavs.media.waveform import resample
from zsavs.models.checkpoints import bank_beside
from zsavs.models.imagebind.checkpoint import sizes_beside
from zsavs.models.open_clip_files import find
from zsavs.models.runtime import load_part
from zsavs.storage import rle
from zsavs.testing import toy

CLIP = AudioClip(np.zeros((1, 160), np.float32), 16_000)
IMAGE = np.zeros((4, 5, 3), np.uint8)


# ---------------------------------------------------------------------------- decompression bombs
def chunk(kind: bytes, data: bytes, length: int | None = None) -> bytes:
    """A chunk of a PNG file, if need be with a length that is not its own."""
    return (
        struct.pack(">I", len(data) if length is None else length)
        + kind
        + data
        + struct.pack(">I", zlib.crc32(kind + data))
    )


def png(*chunks: bytes, side: int = 16) -> bytes:
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(chunks) + chunk(b"IEND", b"")


def deflated(mebibytes: int) -> bytes:
    """So many mebibytes of zeros, in a thousandth of that."""
    squeeze, block = zlib.compressobj(9), bytes(2**20)
    return b"".join([*(squeeze.compress(block) for _ in range(mebibytes)), squeeze.flush()])


def tiff(width: int, height: int, strip: bytes, compression: int = 8) -> bytes:
    """A grey TIFF of one strip."""
    tags = {256: width, 257: height, 258: 8, 259: compression, 262: 1, 273: 8, 278: height, 279: len(strip)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    return struct.pack("<2sHI", b"II", 42, 8 + len(strip)) + strip + struct.pack("<H", len(tags)) + entries + bytes(4)


def webp(side: int) -> bytes:
    """An image of one colour, which WebP keeps in some bytes whatever its size."""
    file = io.BytesIO()
    Image.new("RGB", (side, side), "red").save(file, format="WEBP", lossless=True)
    return file.getvalue()


JP2 = b"\0\0\0\x0cjP  \r\n\x87\n\0\0\0\x14ftypjp2 \0\0\0\0jp2 "
ROWS = chunk(b"IDAT", zlib.compress(bytes(16 * 49)))
BOMBS: dict[str, Callable[[], bytes]] = {
    "more rows than the header says": lambda: png(chunk(b"IDAT", deflated(1024))),
    "a header of two thousand megapixels": lambda: png(chunk(b"IDAT", deflated(1)), side=45_000),
    "a text of a gibibyte": lambda: png(
        chunk(b"zTXt", b"k\0\0" + deflated(1024)), chunk(b"IDAT", zlib.compress(bytes(784)))
    ),
    "a profile of a gibibyte": lambda: png(
        chunk(b"iCCP", b"k\0\0" + deflated(1024)), chunk(b"IDAT", zlib.compress(bytes(784)))
    ),
    "a chunk that claims two gigabytes": lambda: png(chunk(b"iCCP", b"k\0\0", 2**31 - 1)),
    "a strip of a gibibyte": lambda: tiff(30, 30, deflated(1024)),
    "a TIFF of two thousand megapixels": lambda: tiff(50_000, 40_000, deflated(1)),
    "a WebP of 268 megapixels": lambda: webp(16_383),
    "a JPEG 2000 box of two gigabytes": lambda: JP2 + b"\x6e\0\0\x2djp2h" + bytes(64),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_takes_no_large_memory(tmp_path: Path, name: str) -> None:
    """Whether it is shown or refused: what is small, or claims to be, costs no gigabyte."""
    path = tmp_path / "bomb"
    path.write_bytes(BOMBS[name]())
    assert path.stat().st_size < 2_000_000
    done = bounded(
        "try:\n    print('shown', load_image(sys.argv[1]).size < 10**6)\n"
        "except ImageError as error:\n    print('refused', error)\n",
        path,
        imports="import sys, PIL.Image; from zsavs.errors import ImageError\n"
        "from zsavs.media.image_file import load_image\nPIL.Image.init()\n",
        mebibytes=256,
    )
    assert done.returncode == 0, done.stderr[-500:]
    assert done.stdout.startswith(("shown True", f"refused {path}: ")), done.stdout


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("zeros.png", b""),
        ("endless.jpg", b"\xff\xd8\xff\xe0"),
        ("endless.gif", b"GIF89a\x10\0\x10\0"),
        ("endless.webp", b"RIFF\xff\xff\xff\x7fWEBPVP8L"),
        ("endless.avif", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf"),
    ],
)
def test_two_sparse_gigabytes_are_no_image(tmp_path: Path, name: str, head: bytes) -> None:
    path = tmp_path / name
    with path.open("wb") as file:
        file.write(head)
        file.truncate(2**31)
    with pytest.raises(ImageError, match=r"2147 MB are more than such a file has"):
        load_image(path)


def test_a_header_that_never_ends_is_given_up(tmp_path: Path) -> None:
    """Pillow looks for the next mark of a JPEG a byte at a time, however far it is."""
    path = tmp_path / "endless.jpg"
    with path.open("wb") as file:
        file.write(b"\xff\xd8\xff\xe0")
        file.truncate(2**29)
    with pytest.raises(ImageError, match=r"a JPEG image that cannot be decoded \(nothing is found in it"):
        load_image(path)


@pytest.mark.parametrize("head", [b"", b"ID3\x04\0\0\0\0\0\0", b"fLaC\0\0\0\x22", b"OggS", b"FORM\x7f\xff\xff\xffAIFF"])
def test_two_sparse_gigabytes_are_no_recording(tmp_path: Path, head: bytes) -> None:
    path = tmp_path / "zeros.wav"
    with path.open("wb") as file:
        file.write(head)
        file.truncate(2**31)
    done = bounded(
        "try:\n    load_audio(sys.argv[1])\nexcept AudioError as error:\n    print('refused', error)\n",
        path,
        imports="import sys, soundfile\nfrom zsavs.errors import AudioError\n"
        "from zsavs.media.audio_file import load_audio\n",
        mebibytes=128,
    )
    assert done.stdout.startswith(f"refused {path}: "), done.stderr[-500:]


# ----------------------------------------------------------------------------------- recordings
def wav(
    data: bytes, *, channels: int = 1, rate: int = 16_000, align: int | None = None, bits: int = 16, tag: int = 1
) -> bytes:
    """A WAV file with the numbers that we like in its header."""
    align = channels * bits // 8 % 65_536 if align is None else align
    layout = struct.pack("<HHIIHH", tag, channels, rate, rate * align & 0xFFFFFFFF, align, bits)
    chunks = b"fmt " + struct.pack("<I", 16) + layout + b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks


SAMPLES = (np.sin(np.arange(1600) / 9) * 9_000).astype("<i2").tobytes()


@pytest.mark.parametrize(
    "header",
    [
        {"align": 0},
        {"align": 3},
        {"align": 65_535},
        {"bits": 0},
        {"bits": 7},
        {"bits": 65_535},
        {"channels": 0},
        {"channels": 65_535},
        {"tag": 0},
        {"tag": 0xFFFE},
        {"tag": 0x11},
        {"rate": 0},
        {"rate": 2**32 - 1},
    ],
    ids=str,
)
def test_a_header_with_impossible_numbers(tmp_path: Path, header: dict[str, int]) -> None:
    """What can be made sense of is heard as finite samples, and no more of them than the file has bytes."""
    path = tmp_path / "odd.wav"
    path.write_bytes(wav(SAMPLES, **header))
    try:
        clip = load_audio(path)
    except AudioError as error:
        assert str(error).startswith(f"{path}: ")  # noqa: PT017
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert clip.waveform.size <= len(SAMPLES)


def test_an_rf64_is_read_and_its_lies_are_not_believed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "long.rf64"
    wave = np.frombuffer(SAMPLES, "<i2")
    soundfile.write(path, wave, 16_000, format="RF64", subtype="PCM_16")
    assert np.array_equal(load_audio(path).waveform[0] * 32768, wave)
    whole = path.read_bytes()
    place = whole.index(b"ds64") + 8
    for size in (0, 1, 2**40, 2**63 - 1, 2**64 - 1):
        # The sizes of the file and of its data, and the number of samples.
        path.write_bytes(whole[:place] + struct.pack("<QQQ", size, size, size) + whole[place + 24 :])
        try:
            assert load_audio(path).waveform.shape[1] <= len(wave)
        except AudioError as error:
            assert str(error).startswith(f"{path}: ")  # noqa: PT017


def test_a_damaged_recording_prints_no_traceback(tmp_path: Path) -> None:
    """Headers that point before the start of the file: soundfile's callback would print its own exception."""
    path = tmp_path / "back.aiff"
    soundfile.write(path, np.frombuffer(SAMPLES, "<i2"), 16_000, format="AIFF", subtype="PCM_16")
    whole = path.read_bytes()
    for place in range(12, len(whole) - len(SAMPLES)):
        for number in (0x7FFFFFFF, 0x80000000, 0xFFFFFFFF):
            (tmp_path / f"{place}-{number}").write_bytes(whole[:place] + struct.pack(">I", number) + whole[place + 4 :])
    path.unlink()
    done = bounded(
        "for path in pathlib.Path(sys.argv[1]).iterdir():\n"
        "    try:\n        load_audio(path)\n    except AudioError:\n        pass\n",
        tmp_path,
        imports="import pathlib, sys, soundfile\n"
        "from zsavs.errors import AudioError; from zsavs.media.audio_file import load_audio\n",
    )
    assert done.returncode == 0, done.stderr[-500:]
    assert "Traceback" not in done.stderr


# ----------------------------------------------------------- names, links, pipes and devices
NAMES = [
    "ünï ☃.png",
    "new\nline.png",
    "tab\tand 'quote\".png",
    "-rf.png",
    "%s{0}.png",
    "\udcff.png",
    "a" * 200 + ".png",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_only_a_name(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole way: read, answered, written under the same stem, told on one line where it fails."""
    sample, _ = toy.scene(("red", "blue"), ("blue",))
    image, recording, out = tmp_path / name, tmp_path / f"{name}.wav", tmp_path / "out"
    Image.fromarray(sample.image).save(image, format="PNG")
    with recording.open("wb") as file:
        soundfile.write(file, sample.audio.waveform.T, sample.audio.sample_rate_hz, format="WAV")
    arguments = ["segment", "--preset", "toy", "--out", str(out), "--", str(image), str(recording)]
    assert main(arguments) == 0, capsys.readouterr().err
    assert (out / f"{image.stem}.json").is_file()
    assert sorted(path.parent for path in out.rglob("*")) == [out] * 5
    image.write_bytes(b"no image")
    capsys.readouterr()
    assert main(arguments) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.fixture
def oddities(tmp_path: Path) -> dict[str, Path]:
    """What is no file: a pipe that nobody writes to, an endless device, a folder, links in a circle and to nothing."""
    found = {name: tmp_path / name for name in ("pipe", "folder", "circle", "nowhere")}
    os.mkfifo(found["pipe"])
    found["folder"].mkdir()
    found["circle"].symlink_to(found["circle"])
    found["nowhere"].symlink_to(tmp_path / "missing")
    return {**found, "device": Path("/dev/zero"), "beneath a file": Path(__file__) / "x"}


READERS: dict[str, tuple[type[ZsavsError], Callable[[Path], Any]]] = {
    "picture": (ImageError, load_image),
    "recording": (AudioError, load_audio),
    "mask": (ImageError, read_mask),
    "vocabulary": (VocabularyError, load_vocabulary),
    "table of sounds": (VocabularyError, LabelPhrases),
    "table": (InputError, lambda path: list(read_table(path, ("a",)))),
    "JSON": (InputError, load_json),
    "result": (ResultFileError, AVSResult.load),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("oddity", ["pipe", "device", "folder", "circle", "nowhere", "beneath a file"])
def test_only_files_are_read(reader: str, oddity: str, oddities: dict[str, Path]) -> None:
    kind, read = READERS[reader]
    with pytest.raises(kind) as caught:
        read(oddities[oddity])
    assert str(oddities[oddity])[:50] in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("reader", ["vocabulary", "table of sounds", "JSON", "result"])
def test_a_text_of_gigabytes_is_not_read(reader: str, tmp_path: Path) -> None:
    path = tmp_path / "huge.txt"
    with path.open("wb") as file:
        file.truncate(5 * 2**30)
    kind, read = READERS[reader]
    with pytest.raises(kind, match=r"5369 MB, at most"):
        read(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is unreadable for root; test_audio and test_image simulate it")
@pytest.mark.parametrize("reader", READERS)
def test_what_may_not_be_read(reader: str, tmp_path: Path) -> None:
    path = tmp_path / "locked"
    path.write_text("x")
    path.chmod(stat.S_IWUSR)
    kind, read = READERS[reader]
    with pytest.raises(kind, match=r"ermission denied"):
        read(path)


def test_a_mask_is_no_program(tmp_path: Path) -> None:
    """Pillow hands EPS to Ghostscript; a data set's mask of that kind is refused like any other image."""
    path = tmp_path / "mask.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\nshowpage\n")
    with pytest.raises(ImageError, match=r"mask\.png: the mask cannot be read"):
        read_mask(path)


def test_a_pipe_among_the_masks_stops_nothing_but_its_item(tmp_path: Path) -> None:
    for part in ("img", "wav", "gt_seg"):
        (tmp_path / part).mkdir()
    Image.fromarray(IMAGE).save(tmp_path / "img" / "a.png")
    soundfile.write(tmp_path / "wav" / "a.wav", np.zeros(100), 16_000)
    os.mkfifo(tmp_path / "gt_seg" / "a.png")
    with pytest.raises(ImageError, match=r"is a pipe or a device"):
        Folder(tmp_path).load("a")


# ------------------------------------------------------------------------ banks and their arrays
def npy(header: str, data: bytes = b"") -> bytes:
    """A file of numpy's with the header that we like."""
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode("latin-1") + data


def array(shape: str = "(3, 4)", kind: str = "<f4", data: bytes = bytes(48)) -> bytes:
    return npy(f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}", data)


def archive(compression: int = zipfile.ZIP_STORED, **members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as folder:
        for name, data in members.items():
            folder.writestr(f"{name}.npy", data)
    return file.getvalue()


def kept(value: Any) -> bytes:
    file = io.BytesIO()
    np.save(file, np.array(value))
    return file.getvalue()


BANK = {"kind": "sound_bank", "space": "toy", "source": "by hand"}
MEMBERS = {
    "about": kept(json.dumps({"format": 1, "banks": [BANK]})),
    "rows_0": kept(np.eye(3, 4, dtype=np.float32)),
    "answer_0": kept(np.eye(1, 4, dtype=np.float32)[0]),
}
NO_ARRAYS = {
    "empty": b"",
    "text": b"text",
    "an archive": archive(x=array()),
    "a header of terabytes": array("(1000000000000, 512)"),
    "a header of 38 GiB": array("(20000000, 512)"),
    "a header beyond all numbers": array("(9223372036854775807, 9223372036854775807)"),
    "many times nothing": array("(100000000000, 0)"),
    "no dimensions": array("(3, 0)", data=b""),
    "a negative length": array("(-1, 4)"),
    "cut off": array()[:-5],
    "half a header": npy("{'descr': '<f4', 'shape': (3, 4"),
    "an open quote": npy("'''"),
    "many brackets": npy("(" * 5_000 + ")" * 5_000),
    "another version": array().replace(b"NUMPY\1", b"NUMPY\x09"),
    "objects": array(kind="|O"),
    "complex": array(kind="<c8", data=bytes(96)),
    "dates": array(kind="<M8[s]", data=bytes(96)),
    "texts": array(kind="<U1"),
    "NaN": array(data=b"\xff" * 48),
}


@pytest.mark.parametrize("name", NO_ARRAYS)
def test_what_is_no_array_is_no_bank(name: str, tmp_path: Path) -> None:
    """Beside a checkpoint, as a whole file, and as any part of one: refused in one line."""
    (tmp_path / "sound_bank.npy").write_bytes(NO_ARRAYS[name])
    with pytest.raises(WeightsError, match=r"sound_bank\.npy: (cannot be read|expected finite rows)") as caught:
        bank_beside(tmp_path, "sound_bank")
    messages = [str(caught.value)]
    for content in (NO_ARRAYS[name], *(archive(**{**MEMBERS, part: NO_ARRAYS[name]}) for part in MEMBERS)):
        (tmp_path / "bank.npz").write_bytes(content)
        with pytest.raises(InputError, match=r"bank\.npz: cannot be read") as caught:
            UserBank(tmp_path)
        messages.append(str(caught.value))
    assert not [message for message in messages if "\n" in message]


@pytest.mark.parametrize(
    "about", [{"format": 1, "banks": 5}, {"banks": []}, [], {"format": 2}, {"format": 1, "banks": [7]}]
)
def test_a_bank_that_says_nothing_sensible_of_itself(about: Any, tmp_path: Path) -> None:
    (tmp_path / "bank.npz").write_bytes(archive(**{**MEMBERS, "about": kept(json.dumps(about))}))
    with pytest.raises(InputError, match=r"bank\.npz: "):
        UserBank(tmp_path)


def test_a_bank_with_one_damaged_byte_is_read_or_refused(tmp_path: Path) -> None:
    """In its tables, that is: those of the archive, and the headers of its arrays."""
    whole = archive(**MEMBERS)
    (tmp_path / "bank.npz").write_bytes(whole)
    assert UserBank(tmp_path).banks[0].rows.shape == (3, 4)
    refused = 0
    for place in range(len(whole)):
        (tmp_path / "bank.npz").write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            UserBank(tmp_path)
        except InputError:
            refused += 1
    assert refused > len(whole) / 2


@pytest.mark.parametrize("oddity", ["pipe", "device", "folder", "circle", "nowhere"])
def test_a_bank_is_a_file(oddity: str, oddities: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "bank.npz").symlink_to(oddities[oddity])
    with pytest.raises(InputError, match=r"bank\.npz: "):
        UserBank(tmp_path)


def test_a_bank_is_in_a_folder() -> None:
    for folder in (7, "~nobody-of-this-name/bank"):
        with pytest.raises(InputError, match=r"^bank: expected the folder of one"):
            UserBank(folder)  # type: ignore[arg-type]


def test_a_small_bank_takes_no_large_memory(tmp_path: Path) -> None:
    """Neither one that is compressed, nor one whose entries are each as large as the file, nor a sparse one."""
    rows = array("(67108864, 4)", data=bytes(2**30))
    (tmp_path / "bank.npz").write_bytes(archive(zipfile.ZIP_DEFLATED, **{**MEMBERS, "rows_0": rows}))
    del rows
    shared = archive(**{f"rows_{n}": b"\0" for n in range(50)})
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "bank.npz").write_bytes(
        shared.replace(struct.pack("<II", 1, 1), struct.pack("<II", *[2**31] * 2))
    )
    (tmp_path / "sparse").mkdir()
    with (tmp_path / "sparse" / "bank.npz").open("wb") as file:
        file.truncate(2**31)
    done = bounded(
        "for folder in sys.argv[1:]:\n"
        "    try:\n        UserBank(folder)\n    except InputError as error:\n        print(error)\n",
        *(tmp_path, tmp_path / "shared", tmp_path / "sparse"),
        imports="import sys; from zsavs.calibration.user_bank import UserBank; from zsavs.errors import InputError\n",
        mebibytes=256,
    )
    assert done.returncode == 0, done.stderr[-500:]
    compressed, shared_bytes, sparse = done.stdout.splitlines()
    assert "compressed, or claim more than the file holds" in compressed
    assert "claim more than the file holds" in shared_bytes
    assert "2147 MB, at most 1074 MB are read" in sparse


# ------------------------------------------------------------------- the texts of a checkpoint
SHIPPED = Path(zsavs.__file__).parent / "data" / "nano"
TEXTS: dict[str, Callable[[Path], Any]] = {
    "config.json": lambda folder: load_part("ClapModel", folder),
    "tokenizer.json": lambda folder: load_part("AutoTokenizer", folder),
    "open_clip_config.json": find,
    "config.json of ImageBind": lambda folder: sizes_beside(folder / "model.safetensors"),
}


@pytest.mark.parametrize("content", ["gigabytes", "brackets"])
@pytest.mark.parametrize("name", TEXTS)
def test_the_texts_of_a_checkpoint_are_texts(name: str, content: str, tmp_path: Path) -> None:
    folder = shutil.copytree(SHIPPED / "clap", tmp_path / "checkpoint")
    with (folder / name.split()[0]).open("wb") as file:
        if content == "gigabytes":
            file.truncate(5 * 2**30)
        else:
            file.write(b"[" * 200_000)
    with pytest.raises(WeightsError) as caught:
        TEXTS[name](folder)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


# ---------------------------------------------------------------------------------- saved results
def saved(**changes: Any) -> str:
    """The text of a saved result of 4 x 5 pixels and one object, with parts of it replaced."""
    mask = np.zeros((1, 4, 5), np.bool_)
    mask[0, 1:3, 1:4] = True
    box, score = np.array([[1, 1, 4, 3]], np.float32), np.array([0.9], np.float32)
    return json.dumps(json.loads(AVSResult(mask, box, ("dog",), score, mask[0].astype(np.float32)).to_json()) | changes)


def test_a_small_result_claims_no_large_memory(tmp_path: Path) -> None:
    thing = json.loads(saved())["objects"][0]
    side = 30_000
    huge = thing | {"mask": {"size": [side, side], "counts": [side * side]}}
    bomb = {"dtype": "float32", "zlib": base64.b64encode(deflated(256)).decode()}
    for text in (
        saved(objects=[huge] * 10_000, size_hw=[side, side]),
        saved(objects=[huge] * 10_000),
        saved(score_map=bomb),
        saved(score_map=bomb, size_hw=[2**40, 2**40]),
        saved(size_hw=[-4, -5]),
        saved(size_hw=[4.0, 5.0]),
        saved(size_hw=[True, 20]),
    ):
        path = tmp_path / "text"
        path.write_text(text)
        done = bounded(
            "text = pathlib.Path(sys.argv[1]).read_text()\n"
            "try:\n    AVSResult.load(text)\n"
            "except ResultFileError as error:\n    print('refused', str(error)[:200])\n",
            path,
            imports="import pathlib, sys; from zsavs import AVSResult; from zsavs.errors import ResultFileError\n",
            mebibytes=128,
        )
        assert done.stdout.startswith("refused the JSON text: not a zsavs result"), (text[:80], done.stderr[-300:])


def test_run_lengths_that_wrap_around_are_refused() -> None:
    """Four counts of 2^62 are 0 in 64 bits."""
    with pytest.raises(ValueError, match="run lengths"):
        rle.decode({"size": [4, 5], "counts": [2**62, 2**62, 2**62, 2**62, 20]})


# ------------------------------------------------------------------------------------------ arrays
WRONG_IMAGES = {
    "ragged": [[1], [2, 3]],
    "none": None,
    "text": "a.png",
    "objects": np.zeros((4, 5, 3), object),
    "NaN": np.full((4, 5, 3), np.nan, np.float32),
    "signed": np.zeros((4, 5, 3), np.int8),
    "wide": np.zeros((4, 5, 3), ">u2"),
    "bool": np.zeros((4, 5, 3), np.bool_),
    "planes": np.zeros((3, 4, 5), np.uint8),
    "batch": np.zeros((1, 4, 5, 3), np.uint8),
    "alpha": np.zeros((4, 5, 4), np.uint8),
    "grey": np.zeros((4, 5), np.uint8),
    "empty": np.zeros((0, 5, 3), np.uint8),
    "fields": np.zeros((4, 5, 3), [("a", "u1")]),
}
WRONG_WAVES = {
    "ragged": [[1.0], [2.0, 3.0]],
    "none": None,
    "objects": np.array([[1.0, None]], object),
    "complex": np.zeros((1, 4), np.complex64),
    "16 bit": np.zeros((1, 4), np.int16),
    "NaN": np.array([[0, np.nan]], np.float32),
    "too loud": np.array([[0, 1e300]]),
    "flat": np.zeros(4, np.float32),
    "transposed": np.zeros((16_000, 2), np.float32),
    "empty": np.zeros((1, 0), np.float32),
    "gradient": torch.zeros(1, 4, requires_grad=True),
}


@pytest.mark.parametrize("name", WRONG_IMAGES)
def test_an_array_that_is_no_image(name: str) -> None:
    with pytest.raises(ImageError, match=r"^(AVSample: )?image "):
        AVSample(WRONG_IMAGES[name], CLIP)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", WRONG_WAVES)
def test_an_array_that_is_no_sound(name: str) -> None:
    with pytest.raises(AudioError, match=r"^AudioClip: "):
        AudioClip(WRONG_WAVES[name], 16_000)  # type: ignore[arg-type]


def test_the_loudest_sound_that_is_taken_can_be_drawn_and_heard(recwarn: pytest.WarningsRecorder) -> None:
    sample, _ = toy.scene(("red", "blue"), ("blue",))
    loud = AudioClip(sample.audio.waveform * np.float32(2.0**31), sample.audio.sample_rate_hz)
    result = zsavs.build_pipeline("fused", preset="nano")(AVSample(sample.image, loud))
    result.card(loud)
    assert not [str(warning.message) for warning in recwarn if issubclass(warning.category, RuntimeWarning)]


@pytest.mark.parametrize("rate", [10**400, 10**30, 8_000_001, 0, -1, 0.5, np.nan, np.inf, "16000", None, True])
def test_a_rate_that_is_none(rate: Any) -> None:
    with pytest.raises(AudioError, match=r"sample_rate_hz must be a positive whole number"):
        AudioClip(np.zeros((1, 4), np.float32), rate)


def test_resampling_refuses_what_would_not_end_or_not_fit() -> None:
    with pytest.raises(AudioError, match=r"check the sample rate"):
        resample(np.zeros((1, 1_000_000), np.float32), 1, 48_000)
    with pytest.raises(AudioError, match=r"the new one at most 768000"):
        resample(np.zeros((1, 10), np.float32), 1, 7_999_999)


@pytest.mark.parametrize("box", [["a", 0, 1, 1], [[0], [1, 2], 1, 1], [None, 0, 1, 1], object()])
def test_what_is_no_box_of_numbers(box: Any) -> None:
    with pytest.raises(ImageError, match=r"box"):
        crop_with_margin(IMAGE, box)


@pytest.mark.parametrize(
    "disguise",
    [
        lambda array: array[:, ::-1][:, ::-1],
        lambda array: np.asfortranarray(array),
        lambda array: np.repeat(array, 2, axis=-1)[..., ::2],
        lambda array: array.astype(array.dtype.newbyteorder(">")),
        lambda array: np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape),
        lambda array: np.ma.masked_array(array),
        lambda array: torch.from_numpy(array.copy()),
    ],
    ids=["reversed twice", "columns first", "strided", "big-endian", "read-only", "masked", "tensor"],
)
def test_the_answer_does_not_depend_on_how_an_array_lies_in_memory(disguise: Callable[[Any], Any]) -> None:
    sample, _ = toy.scene(("red", "blue"), ("blue",))
    pipe = zsavs.build_pipeline("fused", preset="toy")
    plain = pipe(sample)
    clip = AudioClip(disguise(sample.audio.waveform), sample.audio.sample_rate_hz)
    result = pipe(AVSample(disguise(sample.image), clip))
    assert len(plain) == 1
    assert result.phrases == plain.phrases
    assert result.score_map.tobytes() == plain.score_map.tobytes()


# --------------------------------------------------------------------- arguments of another kind
def toy_pipe() -> Any:
    return zsavs.build_pipeline("fused", preset="toy")


WRONG_ARGUMENTS: dict[str, tuple[type[ZsavsError], str, Callable[[], Any]]] = {
    "fps": (InputError, "fps and context_s", lambda: toy_pipe().video([IMAGE], CLIP, fps="1")),
    "context": (InputError, "fps and context_s", lambda: toy_pipe().video([IMAGE], CLIP, context_s="all")),
    "smooth": (InputError, "smooth must be", lambda: toy_pipe().video([IMAGE], CLIP, smooth="a lot")),
    "no frames": (InputError, "frames: expected images", lambda: toy_pipe().video(None, CLIP)),
    "one frame's name": (InputError, "frames: expected images", lambda: toy_pipe().video("a.png", CLIP)),
    "batch of half": (ContractError, "batch_size must be", lambda: list(toy_pipe().map([], batch_size=1.5))),
    "batch of text": (ContractError, "batch_size must be", lambda: list(toy_pipe().map([], batch_size="8"))),
    "no samples": (InputError, "expected several", lambda: list(toy_pipe().map(None))),
    "one sample": (InputError, "expected several", lambda: compare(AVSample(IMAGE, CLIP), ["fused"], "toy")),
    "preset": (UnknownName, "no preset named None", lambda: compare([], ["fused"], None)),  # type: ignore[arg-type]
    "result": (ResultFileError, "expected the path", lambda: AVSResult.load(7)),  # type: ignore[arg-type]
    "folder": (OutputError, "a folder to write to", lambda: AVSResult.nothing((2, 2)).save(None, "a")),  # type: ignore[arg-type]
    "rows": (ContractError, "expected a numpy array", lambda: AVSResult([], [], (), [], [[0.0]])),  # type: ignore[arg-type]
    "picture": (ContractError, "overlay: expected", lambda: AVSResult.nothing((2, 2)).overlay([[1]])),  # type: ignore[arg-type]
    "classes": (InputError, "label set", lambda: AVSResult.nothing((2, 2)).semantic([1, 2])),  # type: ignore[list-item]
    "no classes": (InputError, "label set", lambda: AVSResult.nothing((2, 2)).semantic(None)),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("name", WRONG_ARGUMENTS)
def test_an_argument_of_another_kind_is_named(name: str) -> None:
    kind, words, call = WRONG_ARGUMENTS[name]
    with pytest.raises(kind, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_result_keeps_no_bottomless_values() -> None:
    bottomless: dict[str, Any] = {}
    for _ in range(100_000):
        bottomless = {"a": bottomless}
    with pytest.raises(ContractError, match="plain JSON values only"):
        AVSResult.nothing((2, 2), meta=bottomless).to_json()
