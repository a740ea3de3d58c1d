"""Make the pictures of the README again, from files that ship with zsavs.

    python -m tools.figures            # docs/astronaut.jpg, if preset pocket is here, and docs/clip.webp

The photograph is answered by preset pocket (``zsavs download pocket``), the clip by nano.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from PIL import Image

import zsavs
from zsavs.build import missing_weights
from zsavs.datasets.orchestra_motion import OrchestraMotion
from zsavs.datasets.photographs import shipped_photographs
from zsavs.media.video_file import read_frames

__all__ = ["main", "write_clip", "write_photograph"]

DOCS = Path(__file__).parents[2] / "docs"
#: Two things sound one after the other.
CLIP = "in_turn_000"


def write_photograph(path: Path) -> None:
    """Write the card of the first photograph as a JPEG file.

    Raises:
        MissingWeights: preset pocket is not on this machine.
    """
    photograph = shipped_photographs()[0]
    result = zsavs.build_pipeline("classify", preset="pocket")(photograph.sample)
    result.card(title=f"classify · pocket · {photograph.sample.name}").convert("RGB").save(
        path, quality=88, optimize=True
    )


def write_clip(path: Path, frames: int = 32, width: int = 480) -> None:
    """Write an annotated clip as an animated WebP file.

    Args:
        path: the file.
        frames: at most so many, evenly spaced.
        width: in pixels.
    """
    clip = OrchestraMotion().clip(CLIP)
    step = max(1, len(clip.frames) // frames)
    shown, fps = clip.frames[::step], clip.fps / step
    pipe = zsavs.build_pipeline("audio_to_text", preset="nano", device="cpu")
    result = pipe.video(shown, clip.audio, fps=fps, tracker="associate")
    with tempfile.TemporaryDirectory() as folder:
        video = result.save_video(Path(folder) / "clip.mp4", frames=shown, fps=fps, audio=clip.audio)
        images = [Image.fromarray(frame.image) for frame in read_frames(video, fps=fps)]
    size = (width, round(width * images[0].height / images[0].width))
    first, *others = (image.resize(size, Image.Resampling.LANCZOS) for image in images)
    first.save(path, save_all=True, append_images=others, duration=round(1000 / fps), loop=0, quality=60, method=6)


def main(argv: list[str] | None = None) -> int:
    """Read the arguments and write the pictures; 1 if the photograph's models are not here."""
    parser = argparse.ArgumentParser(prog="python -m tools.figures", description="make the README's pictures")
    parser.add_argument("--out", type=Path, default=DOCS, help="folder to write")
    out = parser.parse_args(argv).out
    out.mkdir(parents=True, exist_ok=True)
    write_clip(out / "clip.webp")
    if missing_weights("pocket"):
        print("docs/astronaut.jpg stays as it is; first: zsavs download pocket", file=sys.stderr)
        return 1
    write_photograph(out / "astronaut.jpg")
    return 0


if __name__ == "__main__":
    sys.exit(main())
