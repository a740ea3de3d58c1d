"""An audio clip as a WAV file, for players in pages and notebooks."""

from __future__ import annotations

import io
import math
import wave

from zsavs.media.audio_clip import AudioClip

__all__ = ["wav_bytes"]


def wav_bytes(clip: AudioClip, max_seconds: float = math.inf) -> bytes:
    """The clip, mixed down to mono, as a 16-bit WAV file; what exceeds full scale is clipped.

    Args:
        clip: any length and rate.
        max_seconds: how much of it, from its start.
    """
    samples = clip.mono(stop=math.ceil(min(max_seconds, clip.duration_s) * clip.sample_rate_hz))
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(clip.sample_rate_hz)
        writer.writeframes((samples.clip(-1, 1) * 32767).round().astype("<i2").tobytes())
    return file.getvalue()
