"""Images of a result: masks over the frame, and a card that shows frame, sound and what was heard.

Only Pillow and numpy are needed. Everything is deterministic: the same input gives the same pixels, except that
labels outside Pillow's bundled typeface are set in whichever system typeface shows them.
"""

from zsavs.draw.colours import palette
from zsavs.draw.label_image import label_image
from zsavs.draw.masks import mask_layer, overlay
from zsavs.draw.page import card
from zsavs.draw.sheet import contact_sheet

__all__ = ["card", "contact_sheet", "label_image", "mask_layer", "overlay", "palette"]
