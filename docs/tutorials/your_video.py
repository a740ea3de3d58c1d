# %% [markdown]
# # Your video
#
# A clip with its sound goes in; what sounds is found, followed from frame to frame, and marked while it sounds. The
# clip here ships with zsavs: emoji that move, two of which sound one after the other.

# %%
import tempfile
from pathlib import Path

from IPython.display import Video
from PIL import Image

import zsavs
from zsavs.datasets.orchestra_motion import OrchestraMotion

clip = OrchestraMotion().clip("in_turn_000")
frames, fps = clip.frames[::2], clip.fps / 2  # every second frame, to be quick
print(f"{len(frames)} frames at {fps:g} a second, {clip.audio.duration_s:g} s of sound")

# %% [markdown]
# A video file is as good: `zsavs.segment("clip.mp4")`, or `pipe.video("clip.mp4")`. It needs `pip install
# "zsavs[video]"`.

# %%
pipe = zsavs.build_pipeline("audio_to_text", preset="nano")
result = pipe.video(frames, clip.audio, fps=fps, tracker="associate")
for track in result.tracks:
    print(track.id, track.phrase, [f"{start:.1f} to {end:.1f} s" for start, end in track.times])

# %% [markdown]
# A track is one thing: where it is in each frame, and when it sounds. A dog that barks twice is one track. The truth is
# known for this clip:

# %%
clip.script.times

# %% [markdown]
# Every frame is an ordinary answer.

# %%
times_s = [track.times[0][0] + 0.5 for track in result.tracks if track.times]
numbers = [round(time_s * fps) for time_s in times_s]
sheet = [result.frame(number, image=frames[number]).overlay() for number in numbers]
strip = Image.new("RGB", (sum(image.width for image in sheet), sheet[0].height))
for place, image in enumerate(sheet):
    strip.paste(image, (place * image.width, 0))
strip

# %% [markdown]
# ## As a video, and as a page
#
# `save_page` writes an annotated MP4 with the sound, and a page that plays it with a lane for each source.

# %%
folder = Path(tempfile.mkdtemp())
files = result.save_page(folder, "clip", frames=frames, fps=fps, audio=clip.audio)
print(*(path.name for path in files.values()))
Video(folder / "clip.mp4", embed=True, html_attributes="controls style='max-width: 100%'")

# %% [markdown]
# On the command line all of this is `zsavs segment clip.mp4`. [Videos](../../video/) has the options: how often to
# look, which tracker, what a silent track looks like.
