"""From whatever a picture file holds (palette, CMYK, 16 bits, transparency, ...) to the 8-bit RGB that people see."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING

import numpy as np

from zsavs.errors import ImageError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["to_rgb"]

log = logging.getLogger(__name__)


def to_rgb(picture: Image.Image, name: str) -> Image.Image:
    """Turn a decoded picture of any mode into mode "RGB".

    16-bit grey is scaled from the full range 0..65535, not stretched to what the picture uses. An embedded ICC
    profile is applied if it fits the picture. Transparency is laid over white: the page on which people see a cut-out
    is white, and the colours stored below full transparency are arbitrary.

    Args:
        picture: loaded.
        name: of its file, for messages.

    Raises:
        ImageError: 32-bit integers or floats, which have no agreed white, or a palette that is not there.
    """
    from PIL import Image

    if picture.mode in ("P", "PA") and picture.palette is None:
        raise ImageError(f"{name}: damaged: its pixels are numbers of a palette that it does not have; save it again.")
    if picture.mode.startswith("I;16") or (picture.mode == "I" and picture.format in ("PNG", "PPM")):
        picture = _from_16_bits(picture)
    elif picture.mode in ("I", "F"):
        raise ImageError(
            f"{name}: holds {'32-bit integers' if picture.mode == 'I' else 'floats'}, which have no agreed white; "
            f"scale them to 0..255 and save as 8-bit PNG, or pass an array: AVSample(image=..., audio=...)."
        )
    profile = picture.info.get("icc_profile")
    if picture.has_transparency_data:
        # Pillow takes premultiplied grey to LA only.
        layered = (picture.convert("LA") if picture.mode == "La" else picture).convert("RGBA")
        page = Image.new("RGB", picture.size, "white")
        page.paste(_to_srgb(layered.convert("RGB"), profile), mask=layered.getchannel("A"))
        return page
    if picture.mode == "LAB":
        return _from_lab(picture)
    if picture.mode not in ("L", "RGB", "CMYK"):
        picture = picture.convert("RGB")
    picture = _to_srgb(picture, profile)
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _from_16_bits(picture: Image.Image) -> Image.Image:
    """Grey 0..65535 to mode "L", rounded."""
    from PIL import Image

    levels = np.asarray(picture).astype(np.uint32)
    return Image.fromarray(((levels * 255 + 32767) // 65535).astype(np.uint8))


def _from_lab(picture: Image.Image) -> Image.Image:
    """CIE L*a*b* to sRGB."""
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.applyTransform(picture, ImageCms.buildTransform(lab, srgb, "LAB", "RGB")) or picture


def _to_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """Apply an ICC profile; the same picture where there is none, or it is sRGB already, broken or of another mode."""
    if not profile:
        return picture
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return picture  # converting would only add rounding
        converted = ImageCms.profileToProfile(
            picture,
            source,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, ImportError, OSError, TypeError, ValueError) as error:
        log.debug("the embedded colour profile is left out: %s", error)
        return picture
    return converted or picture
