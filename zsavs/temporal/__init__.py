"""Time: the frames of a video, each with its own sound, and evidence smoothed over them.

- :mod:`~zsavs.temporal.frames`: each frame of a video with the audio around it.
- :mod:`~zsavs.temporal.smoothing`: evidence averaged over the frames nearby.
"""
