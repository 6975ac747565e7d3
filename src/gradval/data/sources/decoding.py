"""Image files as uint8 arrays of one size and one number of channels."""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from gradval.data.sources.modes import BadImage, PixelRules, convert, is_dark

# Of one image: 8192 x 8192. Decoding takes up to a dozen bytes a pixel.
MAX_PIXELS = 2**26
# Of all formats that Pillow knows, those that are read, if it was built with them: some others
# start programs, or take anything for an image. JPEG includes MPO.
Image.init()
FORMATS = tuple(
    name
    for name in (
        *("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF", "PPM", "JPEG2000"),
        *("AVIF", "DIB", "ICO", "PCX", "QOI", "SGI"),
    )
    if name in Image.OPEN
)
# Pictures that carry previews or a second eye's view as further frames; the first is the image.
FIRST_FRAME = ("MPO", "ICO")


@dataclass(frozen=True)
class Decoded:
    """A decoded image.

    Attributes:
        pixels: uint8 `(channels, size, size)`.
        resized: whether it had another size.
        mode: Pillow's name of how the file holds pixels.
        dark: whether it has 16 bits of which it seems to use few.
    """

    pixels: NDArray[np.uint8]
    resized: bool
    mode: str
    dark: bool


def decode(content: bytes, size: int, resize: str, rules: PixelRules) -> Decoded:
    """Decode an image file of one of `FORMATS`.

    A photograph is set upright as its EXIF data say. Colour profiles are not applied.

    Args:
        content: the file's bytes.
        size: height = width of the result in pixels.
        resize: for images of another size: `squash` to the square, or `crop` the middle square.
            Both resample bicubically with antialiasing.
        rules: channels of the result, and what the mode of an image leaves open.

    Raises:
        BadImage: it cannot be decoded, or has more than `MAX_PIXELS`, or several pages.
    """
    if not content:
        raise BadImage("an empty file")
    upright, file_format = _open(content)
    image = convert(upright, rules, file_format)
    resized = image.size != (size, size)
    if resized and resize == "crop":
        image = ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
    elif resized:
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    pixels = np.asarray(image)
    pixels = pixels[None] if rules.channels == 1 else pixels.transpose(2, 0, 1)
    return Decoded(pixels, resized, upright.mode, is_dark(upright, rules))


def _open(content: bytes) -> tuple[Image.Image, str | None]:
    """The image of a file, upright, and the format of the file as Pillow names it."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as file:
            _check_extent(file)
            file.load()
            return ImageOps.exif_transpose(file), file.format
    except BadImage:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise BadImage(f"more than {MAX_PIXELS:,} pixels") from error
    except UnidentifiedImageError as error:
        raise BadImage(_what_else(content)) from error
    # Pillow's decoders raise errors of many types on broken files.
    except Exception as error:
        raise BadImage((str(error) or type(error).__name__).splitlines()[0]) from error


def _check_extent(file: Image.Image) -> None:
    if file.width * file.height > MAX_PIXELS:
        raise BadImage(f"{file.width} x {file.height} pixels, more than {MAX_PIXELS:,}")
    if getattr(file, "is_animated", False) and file.format not in FIRST_FRAME:
        raise BadImage("several pages or frames; save one image a file")


def _what_else(content: bytes) -> str:
    if content[128:132] == b"DICM":
        return "a DICOM file; convert it to PNG"
    if content.startswith((b"PK\3\4", b"\x1f\x8b", b"7z\xbc\xaf", b"Rar!")):
        return "an archive; unpack it"
    return "not an image of a format that is read"
