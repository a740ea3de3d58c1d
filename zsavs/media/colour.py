"""Colour modes of image files (palette, CMYK, 16 bits, transparency, ...), converted to 8-bit RGB."""

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


def to_rgb(image: Image.Image, name: str) -> Image.Image:
    """A decoded image of any mode in mode "RGB".

    16-bit grey is scaled from the full range 0..65535, not stretched to what the image uses. An embedded ICC
    profile is applied if it fits the image. Transparency is laid over white: the page on which people see a cut-out
    is white, and the colours stored below full transparency are arbitrary.

    Args:
        image: loaded.
        name: of its file, for messages.

    Raises:
        ImageError: 32-bit integers or floats, which have no agreed white, or a palette that is not there.
    """
    from PIL import Image

    if image.mode in ("P", "PA") and image.palette is None:
        raise ImageError(f"{name}: damaged: its pixels are numbers of a palette that it does not have; save it again.")
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        image = _from_16_bits(image)
    elif image.mode in ("I", "F"):
        raise ImageError(
            f"{name}: holds {'32-bit integers' if image.mode == 'I' else 'floats'}, which have no agreed white; "
            f"scale them to 0..255 and save as 8-bit PNG, or pass an array: AVSample(image=..., audio=...)."
        )
    profile = image.info.get("icc_profile")
    if image.has_transparency_data:
        # Pillow takes premultiplied grey to LA only.
        layered = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
        page = Image.new("RGB", image.size, "white")
        page.paste(_to_srgb(layered.convert("RGB"), profile), mask=layered.getchannel("A"))
        return page
    if image.mode == "LAB":
        return _from_lab(image)
    if image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("RGB")
    image = _to_srgb(image, profile)
    return image if image.mode == "RGB" else image.convert("RGB")


def _from_16_bits(image: Image.Image) -> Image.Image:
    """Grey 0..65535 to mode "L", rounded."""
    from PIL import Image

    levels = np.asarray(image).astype(np.uint32)
    return Image.fromarray(((levels * 255 + 32767) // 65535).astype(np.uint8))


def _from_lab(image: Image.Image) -> Image.Image:
    """CIE L*a*b* to sRGB."""
    from PIL import ImageCms

    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    return ImageCms.applyTransform(image, ImageCms.buildTransform(lab, srgb, "LAB", "RGB")) or image


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Apply an ICC profile; the same image where there is none, or it is sRGB already, broken or of another mode."""
    if not profile:
        return image
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(source):
            return image  # converting would only add rounding
        converted = ImageCms.profileToProfile(
            image,
            source,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, ImportError, OSError, TypeError, ValueError) as error:
        log.debug("the embedded colour profile is left out: %s", error)
        return image
    return converted or image
