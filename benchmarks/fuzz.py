"""Give damaged image and audio files to ``load_image`` and ``load_audio``, and check that they are answered or refused.

Run: ``python benchmarks/fuzz.py --minutes 10 --seed 0``. Small files of every format are mutated; a mutant that
reaches a line of ``zsavs.media`` or of Pillow's decoders that nothing reached before, or that is answered in new
words, joins the corpus. Each case runs in a worker process under a time and a memory limit. A loader passes if
it returns a valid image or clip, the same one when asked again, or refuses with its own error in one line that names
the file. Anything else is a finding and is written to ``--findings``: another error, no memory left, a crash, a hang.

``--executions N`` stops after N cases in place of a time, and then the same seed does the same everything.
"""

from __future__ import annotations

import argparse
import io
import itertools
import logging
import multiprocessing
import os
import random
import re
import resource
import struct
import sys
import tempfile
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

import numpy as np
import soundfile
from PIL import Image, ImageCms, features

#: What a case may take.
SECONDS = 10.0
MEBIBYTES = 1024
#: Keeps an image that is allowed small against the memory limit.
MAX_PIXELS = 2_000_000
MAX_SECONDS = 20.0
#: Longer mutants are cut: a case is to take a millisecond.
MAX_BYTES = 65_536
#: One case of so many is asked for twice.
AGAIN = 16

KINDS = ("image", "audio")
NUMBERS = (
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    15,
    16,
    32,
    64,
    127,
    128,
    255,
    256,
    4096,
    32767,
    32768,
    65535,
    2**31 - 1,
    2**31,
    2**32 - 1,
)


class Outcome(NamedTuple):
    """The outcome of a case: ``answer`` in words, whether the loader ``held``, and the lines that it reached first."""

    answer: str
    held: bool
    places: frozenset[tuple[str, int]]


# ------------------------------------------------------------------------------------- seeds
def images() -> Iterator[bytes]:
    """A small image in every format, mode and compression that Pillow writes here."""
    rng = np.random.default_rng(0)
    colour = Image.fromarray(rng.integers(0, 256, (23, 31, 3), dtype=np.uint8))
    deep = Image.fromarray(rng.integers(0, 65536, (23, 31), dtype=np.uint16))
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = Image.Exif()
    exif[0x0112] = 6
    more: dict[str, Any] = {"save_all": True, "append_images": [colour.rotate(90)]}
    plans: list[tuple[str, Image.Image, dict[str, Any]]] = [
        *(("PNG", colour.convert(mode), {}) for mode in ("1", "L", "LA", "P", "RGB", "RGBA")),
        ("PNG", deep, {}),
        ("PNG", colour, {"icc_profile": profile, "exif": exif}),
        ("PNG", colour.convert("P"), {"transparency": 3}),
        *(("JPEG", colour.convert(mode), {"exif": exif}) for mode in ("L", "RGB", "CMYK")),
        ("JPEG", colour, {"progressive": True, "icc_profile": profile}),
        ("GIF", colour.convert("P"), more),
        ("TIFF", colour, {"exif": exif}),
        ("TIFF", colour.convert("P"), more),
        ("TIFF", deep, {}),
        *(("TIFF", colour, {"compression": name}) for name in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg")),
        ("TIFF", colour.convert("1"), {"compression": "group4"}),
        ("TIFF", colour.convert("LAB"), {}),
        *(("BMP", colour.convert(mode), {}) for mode in ("1", "P", "RGB", "RGBA")),
        *(("PPM", colour.convert(mode), {}) for mode in ("1", "L", "RGB")),
        ("WEBP", colour, {"lossless": True, "exif": exif}),
        ("WEBP", colour.convert("RGBA"), more),
        ("JPEG2000", colour, {}),
        ("AVIF", colour, {"exif": exif}),
    ]
    for name, image, options in plans:
        if {"WEBP": "webp", "AVIF": "avif", "JPEG2000": "jpg_2000"}.get(name, "pil") in {
            "pil",
            *features.get_supported(),
        }:
            file = io.BytesIO()
            image.save(file, format=name, **options)
            yield file.getvalue()


def audio_files() -> Iterator[bytes]:
    """A short audio file in every container and coding that libsndfile writes here."""
    rng = np.random.default_rng(0)
    wave = rng.uniform(-0.5, 0.5, (1200, 2))
    plans = [
        *(("WAV", name) for name in ("PCM_U8", "PCM_16", "PCM_24", "FLOAT", "DOUBLE", "ULAW", "IMA_ADPCM", "MS_ADPCM")),
        *(("WAVEX", "PCM_16"), ("RF64", "PCM_16"), ("W64", "PCM_16"), ("AIFF", "PCM_16"), ("AU", "PCM_16")),
        *(("CAF", "PCM_16"), ("CAF", "ALAC_16"), ("FLAC", "PCM_16"), ("FLAC", "PCM_24")),
        *(("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("NIST", "PCM_16"), ("VOC", "PCM_16")),
    ]
    for container, coding in plans:
        if soundfile.check_format(container, coding):
            file = io.BytesIO()
            soundfile.write(file, wave, 48_000 if coding == "OPUS" else 16_000, subtype=coding, format=container)
            yield file.getvalue()


# --------------------------------------------------------------------------------- mutations
def mutate(rng: random.Random, data: bytes, other: bytes) -> bytes:
    """A damaged copy: some bytes, numbers and pieces changed, lost, doubled or taken from another file."""
    mutant = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 3, 5, 8))):
        # The headers are at the start, and matter more than the samples.
        place = rng.randrange(min(len(mutant), rng.choice((64, 512, MAX_BYTES))) or 1)
        length = rng.choice((1, 2, 4, 8, 32, 256))
        match rng.randrange(8):
            case 0 if mutant:
                mutant[place] ^= 1 << rng.randrange(8)
            case 1 if mutant:
                mutant[place] = rng.randrange(256)
            case 2:
                width = rng.choice("BHIQ")
                number = rng.choice(NUMBERS) + rng.choice((0, 0, -1, 1)) & (1 << 8 * struct.calcsize(width)) - 1
                packed = struct.pack(rng.choice("<>") + width, number)
                mutant[place : place + len(packed)] = packed
            case 3:
                del mutant[place : place + length]
            case 4:
                mutant[place:place] = mutant[place : place + length]
            case 5:
                mutant[place:place] = rng.randbytes(length)
            case 6:
                start = rng.randrange(len(other) or 1)
                mutant[place : place + length] = other[start : start + length]
            case 7:
                del mutant[rng.randrange(len(mutant) or 1) :]
    whole = bytes(mutant[:MAX_BYTES]) or b"\0"
    return with_checksums(whole) if rng.random() < 0.7 else whole


def with_checksums(data: bytes) -> bytes:
    """A PNG with the checksums of its chunks made right, so that the damage gets past them; others as they are."""
    if not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return data
    fixed, place = bytearray(data), 8
    while place + 12 <= len(fixed):
        (length,) = struct.unpack_from(">I", fixed, place)
        end = place + 8 + length
        if end + 4 > len(fixed):
            break
        struct.pack_into(">I", fixed, end, zlib.crc32(fixed[place + 4 : end]))
        place = end + 4
    return bytes(fixed)


# ----------------------------------------------------------------------------------- workers
class Lines:
    """Watches which lines of some folders run; a line that was reported is not looked at again."""

    def __init__(self, folders: tuple[str, ...]) -> None:
        self.folders = folders
        self.left: dict[CodeType, set[int]] = {}
        self.new: set[tuple[str, int]] = set()

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        code = frame.f_code
        left = self.left.get(code)
        if left is None:
            mine = code.co_filename.startswith(self.folders)
            left = self.left[code] = {line for *_, line in code.co_lines() if line} if mine else set()
        return self.line if left else None

    def line(self, frame: FrameType, event: str, argument: Any) -> Any:
        left = self.left[frame.f_code]
        if frame.f_lineno in left:
            left.discard(frame.f_lineno)
            self.new.add((Path(frame.f_code.co_filename).name, frame.f_lineno))
        return self.line


def work(kind: str, pipe: Connection) -> None:
    """Answer the cases that come through the pipe until it is closed."""
    from zsavs import media
    from zsavs.errors import AudioError, ImageError
    from zsavs.media.audio_file import load_audio
    from zsavs.media.image_file import load_image

    warnings.simplefilter("ignore")
    logging.disable()
    # Decoders written in C complain on the descriptor; what Python prints would be a traceback.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    printed = sys.stderr = io.StringIO()
    Image.init()
    load: Callable[[Path], Any] = (
        (lambda path: load_image(path, max_pixels=MAX_PIXELS))
        if kind == "image"
        else (lambda path: load_audio(path, max_duration_s=MAX_SECONDS))
    )
    own = ImageError if kind == "image" else AudioError
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEBIBYTES * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    lines = Lines((str(Path(media.__file__).parent), str(Path(Image.__file__).parent)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "case"
        while case := pipe.recv():
            path.write_bytes(case[0])
            sys.settrace(lines)
            try:
                answer, held = checked(load, path, own, again=case[1])
            finally:
                sys.settrace(None)
            if said := printed.getvalue():
                answer, held = f"printed: {said}", False
                printed.seek(0)
                printed.truncate()
            pipe.send(Outcome(answer, held, frozenset(lines.new)))
            lines.new.clear()


def checked(load: Callable[[Path], Any], path: Path, own: type[Exception], *, again: bool) -> tuple[str, bool]:
    """The loader's answer in words, and whether it held."""
    try:
        content = contents(load(path))
        if again and content.tobytes() != contents(load(path)).tobytes():
            return "another answer to the same file", False
    except own as error:
        message = str(error)
        return f"refused: {message}", "\n" not in message and message.startswith(str(path))
    except Exception as error:
        return f"{type(error).__name__}: {error}", False
    if content.dtype == np.uint8:
        valid = content.ndim == 3 and content.shape[2] == 3 and 0 < content.size <= 3 * MAX_PIXELS
    else:
        valid = content.dtype == np.float32 and content.ndim == 2 and content.size > 0 and np.isfinite(content).all()
    return ("answered" if valid else f"an answer {content.dtype} {content.shape}"), bool(valid)


def contents(loaded: Any) -> np.ndarray[Any, Any]:
    """The array of an image or a clip."""
    return loaded if isinstance(loaded, np.ndarray) else np.asarray(loaded.waveform)


class Worker:
    """A process for one kind of file, made again whenever it is lost."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(self.kind, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self.fresh = True

    def __call__(self, data: bytes, again: bool) -> Outcome:
        """Run one case."""
        patience, self.fresh = SECONDS + 60 * self.fresh, False  # the first case waits for the imports
        try:
            self.pipe.send((data, again))
            if self.pipe.poll(patience):
                outcome: Outcome = self.pipe.recv()
                return outcome
            self.process.kill()
            answer = f"no answer within {SECONDS:g} s"
        except (EOFError, ConnectionError):
            self.process.join()
            answer = f"the process died with {self.process.exitcode}"
        self.process.join()
        self._start()
        return Outcome(answer, False, frozenset())

    def stop(self) -> None:
        """Let the process go."""
        self.pipe.send(None)
        self.process.join(5)


# -------------------------------------------------------------------------------------- main
def words(answer: str) -> str:
    """An answer without what differs from file to file."""
    return " ".join(re.sub(r"\S*/case\S*|\".*?\"|'.*?'|[^a-z ]", " ", answer.lower()).split()[:12])


def main() -> int:
    """Fuzz and print what came of it; the exit code is 1 if there is a finding."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=1.0, help="how long (%(default)s)")
    parser.add_argument("--executions", type=int, help="how many cases, in place of --minutes")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations (%(default)s)")
    parser.add_argument("--kind", choices=KINDS, action="append", help="only this kind")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"), metavar="DIR", help="(%(default)s)")
    arguments = parser.parse_args()
    kinds = arguments.kind or KINDS
    rng = random.Random(arguments.seed)
    corpus = {kind: list(images() if kind == "image" else audio_files()) for kind in kinds}
    given = {kind: len(files) for kind, files in corpus.items()}
    workers = {kind: Worker(kind) for kind in kinds}
    reached: dict[str, set[tuple[str, int]]] = {kind: set() for kind in kinds}
    heard: dict[str, set[str]] = {kind: set() for kind in kinds}
    counts: dict[str, Counter[str]] = {kind: Counter() for kind in kinds}
    findings: dict[str, int] = {}

    def run(kind: str, data: bytes) -> bool:
        """Run a case and take note; whether it showed anything new."""
        executions = counts[kind]["executions"]
        outcome = workers[kind](data, executions % AGAIN == 0)
        counts[kind]["executions"] += 1
        counts[kind][outcome.answer.partition(":")[0] if outcome.held else "findings"] += 1
        said = words(outcome.answer)
        if not outcome.held:
            findings[f"{kind}: {said}"] = findings.get(f"{kind}: {said}", 0) + 1
            if findings[f"{kind}: {said}"] == 1:
                arguments.findings.mkdir(parents=True, exist_ok=True)
                path = arguments.findings / f"{kind}-{zlib.crc32(data):08x}"
                path.write_bytes(data)
                print(f"finding {path}: {outcome.answer[:300]}", flush=True)
        # After a lost worker the next one reports lines that are known.
        new = bool(outcome.places - reached[kind]) or (outcome.held and said not in heard[kind])
        reached[kind] |= outcome.places
        heard[kind].add(said)
        return new

    start = time.monotonic()
    for kind in kinds:
        for data in corpus[kind]:
            run(kind, data)
    at_first = {kind: len(reached[kind]) for kind in kinds}
    for kind in itertools.cycle(kinds):
        done = sum(count["executions"] for count in counts.values())
        if done >= arguments.executions if arguments.executions else time.monotonic() - start > 60 * arguments.minutes:
            break
        files = corpus[kind]
        data = mutate(rng, rng.choice(files), rng.choice(files))
        if run(kind, data):
            files.append(data)
    seconds = time.monotonic() - start
    for worker in workers.values():
        worker.stop()

    print(
        f"\nseed {arguments.seed}, {seconds / 60:.1f} minutes, limits {SECONDS:g} s and {MEBIBYTES} MiB a case, "
        f"Pillow {Image.__version__}, libsndfile {soundfile.__libsndfile_version__}, Python {sys.version.split()[0]}"
    )
    print("\n| Loader | Executions | Answered | Refused | Findings | Corpus | Lines reached |")
    print("| :-- | --: | --: | --: | --: | --: | --: |")
    for kind, count in counts.items():
        print(
            f"| load_{kind} | {count['executions']} | {count['answered']} | {count['refused']} | {count['findings']} | "
            f"{given[kind]} → {len(corpus[kind])} | {at_first[kind]} → {len(reached[kind])} |"
        )
    for said, times in findings.items():
        print(f"finding, {times} times: {said}")
    return bool(findings)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.exit(main())
