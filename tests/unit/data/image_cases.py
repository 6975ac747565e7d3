"""Formats and pixel modes of images, and repeated images."""

from pathlib import Path

import numpy as np
from folder_cases import (
    GREY,
    case,
    image_of,
    load,
    pixels,
    ramp,
    refused,
    save,
    signed_tiff,
    splits,
    whole,
)
from PIL import Image


@case("empty and truncated files, images of no size", "refused; or skipped by `on_bad_image`")
def _(root: Path) -> None:
    path = splits(root / "data")
    (path / "train/cat/5.png").write_bytes(b"")
    (path / "train/cat/6.ppm").write_bytes(b"P6 0 0 255\n")
    big = save(root / "big.jpg", pixels(0, 64)).read_bytes()
    (path / "train/cat/7.jpg").write_bytes(big[:900])
    refused(path, "train/cat/5.png is not a readable image (an empty file)", "2 more")
    bad = whole(load(path, on_bad_image="skip")).provenance["bad_images"]
    assert [entry.split(":")[0] for entry in bad] == [
        f"train/cat/{i}" for i in ("5.png", "6.ppm", "7.jpg")
    ]


@case("several pages or frames: GIF, TIFF, PNG, WebP", "refused")
def _(root: Path) -> None:
    path = splits(root / "data")
    frames = [Image.fromarray(pixels(i)) for i in range(3)]
    for suffix in ("gif", "tif", "png", "webp"):
        file = path / f"train/cat/9.{suffix}"
        frames[0].save(file, save_all=True, append_images=frames[1:])
        refused(path, f"9.{suffix} is not a readable image (several pages or frames")
        file.unlink()


@case("a GIF or TIFF of one image; BMP, WebP, JPEG 2000, PCX, QOI", "read")
def _(root: Path) -> None:
    path = splits(root / "data")
    suffixes = ("gif", "tif", "bmp", "webp", "jp2", "pcx", "qoi")
    for i, suffix in enumerate(suffixes):
        save(path / f"train/cat/x.{suffix}", pixels(500 + i))
    store = whole(load(path), 15)
    for i, suffix in enumerate(suffixes):
        if suffix in ("tif", "bmp", "pcx", "qoi"):
            expected = pixels(500 + i).transpose(2, 0, 1)
            np.testing.assert_array_equal(image_of(store, f"train/cat/x.{suffix}"), expected)


@case("DICOM, PostScript, PDF, SVG", "refused: convert it")
def _(root: Path) -> None:
    path = splits(root / "data")
    for suffix, content, reason in (
        ("dcm", bytes(128) + b"DICM" + bytes(50), "a DICOM file; convert it to PNG"),
        ("eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n", "not an image of a format"),
        ("pdf", b"%PDF-1.4", "not an image of a format"),
        ("svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image of a format"),
    ):
        (path / f"train/cat/9.{suffix}").write_bytes(content)
        refused(path, f"9.{suffix} is not a readable image ({reason}")
        (path / f"train/cat/9.{suffix}").unlink()


@case("a photograph that EXIF turns", "read, upright")
def _(root: Path) -> None:
    path = splits(root / "data")
    array = np.zeros((8, 8, 3), np.uint8)
    array[0] = 255
    exif = Image.Exif()
    exif[0x0112] = 3
    save(path / "train/cat/9.png", array, exif=exif)
    image = image_of(load(path), "train/cat/9.png")
    assert image[:, -1].min() == 255 and image[:, :-1].max() == 0


@case("black and white, grey, palette, RGB, CMYK", "read")
def _(root: Path) -> None:
    path = splits(root / "data")
    colour = np.zeros((8, 8, 3), np.uint8)
    colour[:, 4:] = (255, 0, 0)
    for mode in ("RGB", "P", "CMYK"):
        Image.fromarray(colour).convert(mode).save(path / f"train/cat/{mode}.tif")
    bits = Image.fromarray(colour[:, :, 0]).convert("1")
    bits.save(path / "train/cat/1.tif"), bits.convert("L").save(path / "train/cat/L.tif")
    for options in ({}, GREY):
        store = load(path, on_duplicate="keep", **options)
        for mode in ("RGB", "P", "CMYK"):
            image = image_of(store, f"train/cat/{mode}.tif")
            right = [76] if options else [255, 0, 0]
            assert image[:, 0, 0].tolist() == [0] * len(right)
            assert image[:, 0, 7].tolist() == right
        for mode in ("1", "L"):
            assert image_of(store, f"train/cat/{mode}.tif")[:, 0].tolist() == (
                [[0, 0, 0, 0, 255, 255, 255, 255]] * len(image)
            )
    assert store.provenance["pixel_modes"] == {"1": 1, "CMYK": 1, "L": 1, "P": 1, "RGB": 13}


@case("YCbCr and LAB", "read; refused")
def _(root: Path) -> None:
    path = splits(root / "data")
    red = Image.new("RGB", (8, 8), (255, 0, 0))
    red.convert("YCbCr").save(path / "train/cat/9.tif", compression="jpeg")
    image = image_of(load(path), "train/cat/9.tif").astype(int)
    assert np.abs(image[:, 4, 4] - (254, 0, 0)).max() <= 3
    (path / "train/cat/9.tif").unlink()
    Image.new("LAB", (8, 8)).save(path / "train/cat/8.tif")
    refused(path, "8.tif", "pixel mode LAB is not read")


@case("transparent pixels: LA, RGBA, palette or colour", "laid over white or black; or refused")
def _(root: Path) -> None:
    path = splits(root / "data")
    shape = np.zeros((8, 8, 4), np.uint8)
    shape[2:5, 2:5, 3] = 255
    drawing = Image.fromarray(shape)
    drawing.save(path / "train/cat/RGBA.png"), drawing.convert("LA").save(path / "train/cat/LA.png")
    inked = np.zeros((8, 8), np.uint8)
    inked[2:5, 2:5] = 1
    palette = Image.fromarray(inked, "P")
    palette.putpalette([9, 9, 9, 0, 0, 0])
    palette.save(path / "train/cat/P.png", transparency=0)
    Image.fromarray(9 - inked * 9).save(path / "train/cat/L.png", transparency=9)
    expected = np.full((8, 8), 255, np.uint8)
    expected[2:5, 2:5] = 0
    for options in ({}, GREY):
        white = load(path, on_duplicate="keep", **options)
        black = load(path, transparency="black", **options)
        for mode in ("RGBA", "LA", "P", "L"):
            image = image_of(white, f"train/cat/{mode}.png")
            np.testing.assert_array_equal(image, np.broadcast_to(expected, image.shape))
            assert not image_of(black, f"train/cat/{mode}.png").any()
    refused(path, "transparent pixels; set transparency: white or black", transparency="fail")


@case("alpha that is opaque everywhere", "read, as without it")
def _(root: Path) -> None:
    path = splits(root / "data")
    opaque = np.dstack([pixels(70), np.full((8, 8), 255, np.uint8)])
    save(path / "train/cat/9.png", opaque)
    store = load(path, transparency="fail")
    np.testing.assert_array_equal(image_of(store, "train/cat/9.png"), pixels(70).transpose(2, 0, 1))


@case("16 bits, either byte order", "read by the high byte, or by `pixel_range`; dark ones counted")
def _(root: Path) -> None:
    path = splits(root / "data")
    deep = (ramp() * 257).astype(np.uint16)
    save(path / "train/cat/9.png", deep), save(path / "train/cat/9.tif", deep)
    save(path / "train/cat/b.tif", deep.astype(">u2")), save(path / "train/cat/9.pgm", deep)
    save(path / "train/dog/9.png", (ramp() * 16).astype(np.uint16))
    store = load(path, **GREY)
    for name in ("9.png", "9.tif", "b.tif", "9.pgm"):
        np.testing.assert_array_equal(image_of(store, f"train/cat/{name}")[0], ramp())
    assert store.provenance["dark_16_bit_images"] == 1
    full = load(path, pixel_range=[0, 4095], **GREY)
    image = image_of(full, "train/dog/9.png")[0]
    np.testing.assert_array_equal(image, np.round(ramp() * 16 / 4095 * 255))
    assert full.provenance["dark_16_bit_images"] == 0


@case("floating-point pixels from 0 to 1", "read, scaled to 0 to 255")
def _(root: Path) -> None:
    path = splits(root / "data")
    save(path / "train/cat/9.tif", (ramp() / 255).astype(np.float32))
    np.testing.assert_array_equal(image_of(load(path, **GREY), "train/cat/9.tif")[0], ramp())


@case("floating-point pixels beyond, or not finite", "refused; the former read by `pixel_range`")
def _(root: Path) -> None:
    path = splits(root / "data")
    values = (ramp() * 4.0 - 100).astype(np.float32)
    save(path / "train/cat/9.tif", values)
    refused(path, "floating-point pixels from -100 to 796, not 0 to 1", "pixel_range")
    image = image_of(load(path, pixel_range=[0, 255], **GREY), "train/cat/9.tif")[0]
    np.testing.assert_array_equal(image, np.round(values.clip(0, 255)))
    values[0, 0] = np.nan
    save(path / "train/cat/9.tif", values)
    refused(path, "pixels that are no finite numbers", pixel_range=[0, 255])


@case("32-bit and signed 16-bit pixels", "refused; read by `pixel_range`")
def _(root: Path) -> None:
    path = splits(root / "data")
    for kind in (np.int32, np.int16):
        signed_tiff(path / "train/cat/9.tif", ramp() * 10 - 1000, kind)
        refused(path, "32-bit pixels from -1000 to 1240", "pixel_range")
        image = image_of(load(path, pixel_range=[-1000, 1240], **GREY), "train/cat/9.tif")[0]
        np.testing.assert_allclose(image, ramp() / 224 * 255, atol=0.5001)
    refused(path, "pixel_range: 5 must be below 5", pixel_range=[5, 5])


@case("one image in `train` and `test`", "refused; skipped or kept by `on_duplicate`, counted")
def _(root: Path) -> None:
    path = splits(root / "data")
    save(path / "train/cat/9.bmp", np.asarray(Image.open(path / "test/cat/0.png")))
    refused(path, "train/cat/9.bmp (train) and test/cat/0.png (test) are the same image")
    assert whole(load(path, on_duplicate="skip")).provenance["duplicates_across_splits"] == 1
    whole(load(path, on_duplicate="keep"), 9)


@case("one image twice in a split, or under two labels", "read, counted")
def _(root: Path) -> None:
    path = splits(root / "data")
    save(path / "train/dog/9.bmp", np.asarray(Image.open(path / "train/cat/0.png")))
    provenance = whole(load(path), 9).provenance
    assert provenance["duplicates_within_splits"] == {"train": 1, "test": 0}
    assert provenance["duplicates_with_other_labels"] == 2
