"""Every pixel mode that Pillow gives an image file, and the rule by which it is read.

| mode | what | rule |
| --- | --- | --- |
| 1, L | black and white, grey | as it is |
| P | palette | its colours |
| LA, PA, La, RGBA, RGBa; any with a transparent colour | alpha | laid over `transparency` |
| RGB, YCbCr, CMYK, HSV | colour | converted to RGB; to grey by ITU-R 601 |
| I;16 (either byte order) | 16-bit grey | the high byte, or by `pixel_range` |
| I | 32-bit grey | by `pixel_range`; of a PGM file, the high byte of 16 |
| F | floating point | [0, 1] becomes [0, 255], or by `pixel_range` |

All others are refused.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

AS_THEY_ARE = ("1", "L", "P", "RGB", "YCbCr", "CMYK", "HSV")
SIXTEEN_BIT = ("I;16", "I;16L", "I;16B", "I;16N")
WITH_ALPHA = ("LA", "PA", "La", "RGBA", "RGBa")
BACKGROUNDS = {"white": (255, 255, 255, 255), "black": (0, 0, 0, 255)}
# Pillow scales these to 16 bits, whatever their own range.
SCALED_BY_PILLOW = ("PPM", "PNG")
# A 16-bit image without a value above this shows next to nothing: it may hold 12 bits only.
TWELVE_BITS = 4095
PHOTOMETRIC, WHITE_IS_ZERO = 262, 0


class BadImage(ValueError):
    """A file is not an image that is read; the message says why."""


@dataclass(frozen=True)
class PixelRules:
    """What an image's mode leaves open.

    Attributes:
        channels: 1 for grey, 3 for colour.
        transparency: what is behind transparent pixels, `white` or `black`; or `fail`.
        pixel_range: the values of 16- and 32-bit and floating images that become 0 and 255;
            those outside are clipped. `None` for the rules of the table above.
    """

    channels: int
    transparency: str = "white"
    pixel_range: tuple[float, float] | None = None


def convert(image: Image.Image, rules: PixelRules, file_format: str | None) -> Image.Image:
    """An image in mode `L` or `RGB`, by the rule of its mode.

    Args:
        image: in any mode.
        rules: what the mode leaves open.
        file_format: of its file, as Pillow names it.

    Raises:
        BadImage: no rule says how the mode is to be read.
    """
    mode = "L" if rules.channels == 1 else "RGB"
    if image.mode == "F" or image.mode.startswith("I"):
        return _deep(image, rules, file_format).convert(mode)
    if image.mode in WITH_ALPHA or image.has_transparency_data:
        return _over_background(image, rules).convert(mode)
    if image.mode in AS_THEY_ARE:
        return image.convert(mode)
    raise BadImage(f"pixel mode {image.mode} is not read; save it as grey or RGB")


def is_dark(image: Image.Image, rules: PixelRules) -> bool:
    """Whether a 16-bit image, read by its high byte, may hold fewer bits: none is above 4095."""
    if image.mode not in SIXTEEN_BIT or rules.pixel_range is not None:
        return False
    return 255 < int(np.asarray(image).max()) <= TWELVE_BITS


def _over_background(image: Image.Image, rules: PixelRules) -> Image.Image:
    colours = image.convert("RGBA")
    alpha = colours.getchannel("A").getextrema()
    if alpha != (255, 255) and rules.transparency == "fail":
        raise BadImage("it has transparent pixels; set transparency: white or black")
    background = Image.new("RGBA", image.size, BACKGROUNDS.get(rules.transparency, (0, 0, 0, 255)))
    return Image.alpha_composite(background, colours).convert("RGB")


def _deep(image: Image.Image, rules: PixelRules, file_format: str | None) -> Image.Image:
    """Grey of more than 8 bits as mode `L`."""
    if "transparency" in image.info:
        raise BadImage("a transparent grey of 16 bits is not read; remove it")
    if getattr(image, "tag_v2", {}).get(PHOTOMETRIC) == WHITE_IS_ZERO:
        raise BadImage("more than 8 bits with 0 for white are not read; invert it")
    values = np.asarray(image)
    if not np.isfinite(values).all():
        raise BadImage("it has pixels that are no finite numbers")
    if rules.pixel_range is not None:
        low, high = rules.pixel_range
        values = (values.astype(np.float32) - low) / (high - low) * 255
        return Image.fromarray(np.round(values.clip(0, 255)).astype(np.uint8))
    if image.mode == "F":
        if values.min() < 0 or values.max() > 1:
            raise BadImage(
                f"floating-point pixels from {values.min():g} to {values.max():g}, not 0 to 1; set "
                "pixel_range: [<black>, <white>]"
            )
        return Image.fromarray(np.round(values * 255).astype(np.uint8))
    if image.mode in SIXTEEN_BIT or file_format in SCALED_BY_PILLOW:
        grey = values.astype(np.uint32)
        return Image.fromarray((grey >> 8).clip(max=255).astype(np.uint8))
    raise BadImage(
        f"32-bit pixels from {values.min()} to {values.max()}, of which no rule tells black and "
        "white; set pixel_range: [<black>, <white>]"
    )
