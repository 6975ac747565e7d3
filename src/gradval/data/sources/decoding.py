"""Image files as uint8 arrays of one size and one number of channels."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

MODES = {1: "L", 3: "RGB"}


class BadImage(ValueError):
    """A file is not a readable image; the message says why."""


def decode(content: bytes, channels: int, size: int, resize: str) -> tuple[NDArray[np.uint8], bool]:
    """Decode an image file of any format that Pillow reads.

    Args:
        content: the file's bytes.
        channels: 1 for grey, 3 for colour; other images are converted.
        size: height = width of the result in pixels.
        resize: for images of another size: `squash` to the square, or `crop` the middle square.
            Both resample bicubically with antialiasing.

    Returns:
        The pixels, uint8 `(channels, size, size)`, and whether they were resized.

    Raises:
        BadImage: it cannot be decoded.
    """
    try:
        with Image.open(io.BytesIO(content)) as file:
            image = _to_mode(ImageOps.exif_transpose(file), MODES[channels])
    # Pillow's decoders raise errors of many types on broken files.
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        # Pillow prints the address of the buffer.
        reason = "not an image" if "cannot identify" in reason else reason
        raise BadImage(reason) from error
    resized = image.size != (size, size)
    if resized and resize == "crop":
        image = ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
    elif resized:
        image = image.resize((size, size), Image.Resampling.BICUBIC)
    pixels = np.asarray(image)
    return (pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)), resized


def _to_mode(image: Image.Image, mode: str) -> Image.Image:
    if image.mode.startswith("I;16") or image.mode == "I":
        # Pillow would cut 16-bit grey values off at 255 instead of scaling them.
        grey = np.asarray(image).astype(np.uint32)
        image = Image.fromarray((grey >> 8).clip(max=255).astype(np.uint8))
    return image.convert(mode)
