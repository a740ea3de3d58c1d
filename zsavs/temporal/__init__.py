"""Video: frames with their audio, and evidence smoothed over frames.

- :mod:`~zsavs.temporal.frames`: each frame of a video with the audio around it.
- :mod:`~zsavs.temporal.smoothing`: evidence averaged over neighbouring frames.
- :mod:`~zsavs.temporal.smoothed_queries`: the smoothed queries of frames as they come.
- :mod:`~zsavs.temporal.timeline`: what is heard when, from window to window.
- :mod:`~zsavs.temporal.frame_source`: where frames and audio come from.
- :mod:`~zsavs.temporal.follow`: a video, answered and followed.
- :mod:`~zsavs.temporal.video_result`: the answer for a video, its tracks, and its file.
- :mod:`~zsavs.temporal.display`: how that is shown: names, colours and lanes.
- :mod:`~zsavs.temporal.annotate`: the annotated video.
- :mod:`~zsavs.temporal.page`: the page of a video.
"""
