"""Images of a result: masks over the frame, and a card that shows frame, sound and what was heard.

Only Pillow and numpy are needed. Everything is deterministic: the same input gives the same pixels, except that
labels outside Pillow's bundled typeface are set in whichever system typeface shows them.

- :mod:`~zsavs.draw.masks`: masks over an image.
- :mod:`~zsavs.draw.page`: the card: image, masks, audio and what was heard.
- :mod:`~zsavs.draw.audio`: waveform, spectrogram and time axis.
- :mod:`~zsavs.draw.times`: when each source sounds, as bars.
- :mod:`~zsavs.draw.labels`: label chips.
- :mod:`~zsavs.draw.label_image`: a label map in colours.
- :mod:`~zsavs.draw.video`: the frames of an annotated video, with the timeline of its sound.
- :mod:`~zsavs.draw.sheet`: several images on one page.
- :mod:`~zsavs.draw.notebook`: a result in a notebook or an image viewer.
- :mod:`~zsavs.draw.colours`: colours that stay apart for colour-blind readers.
- :mod:`~zsavs.draw.text`: one line of text in any script.
"""

from zsavs.draw.colours import palette
from zsavs.draw.label_image import label_image
from zsavs.draw.masks import mask_layer, overlay
from zsavs.draw.page import card
from zsavs.draw.sheet import contact_sheet

__all__ = ["card", "contact_sheet", "label_image", "mask_layer", "overlay", "palette"]
