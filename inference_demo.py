"""Segment one image with its audio: python inference_demo.py --methods cross_modal --img_path IMAGE --wav_path AUDIO.

The same as ``zsavs segment``; every option of that command works here too.
"""

import sys

from zsavs.cli.main import main

if __name__ == "__main__":
    raise SystemExit(main(["segment", *sys.argv[1:]]))
