"""Strict reading of one frame or one mask: what cannot be read exactly as meant is an error with the file's name.

Frames come out as RGB. A palette is looked up and a fully opaque alpha channel dropped, which changes no colour;
grayscale, CMYK, 16-bit, transparent and multi-page files are refused, because each would need a guess.
"""

import re
from pathlib import Path

import numpy as np
import PIL.Image
from skimage.measure import label

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
FRAME_MODES = ("RGB", "P", "RGBA")
MASK_MODES = ("L", "1", "P", "RGB", "RGBA")
GREY_MODES = ("L", "P", "RGB", "RGBA")

# Half of the range of 8 bits; CVC-ClinicDB and JPEG masks hold values near 0 and 255 (METHODS C).
THRESHOLD = 128
# Share of a mask's pixels that may lie strictly between 64 and 192, as those of a smoothed border do. Of the masks
# of CVC-ColonDB, shrunk to 96x84 and saved as JPEG of quality 30, at most 2.5 % do; of its photos at least 10 %.
MAX_GREY_SHARE = 0.05
# Smaller spots are slips of the annotator's brush: masks 306 and 318 of CVC-ColonDB have such of 1 to 6 pixels, while
# the smallest polyp there has 856 pixels, and the smallest of CVC-ClinicDB 373.
MIN_LESION_PX = 25
# JPEG keeps grey as three channels that differ by rounding only; a coloured mask differs by 100 and more.
MAX_CHANNEL_SPREAD = 32


def natural_key(name):
    """Sort key that puts "2" before "10" and copes with any mixture of digits and letters."""
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.findall(r"\d+|\D+", name)]


def list_images(folder):
    """List the images of a folder by their names without suffix.

    Hidden files (macOS leaves `._1.png` beside `1.png`) and other kinds of files are passed over.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict of str to Path
        In natural order.

    Raises
    ------
    ValueError
        When two files share a name, such as 1.jpg and 1.png.
    """
    found = {}
    for path in sorted(folder.iterdir(), key=lambda path: natural_key(path.name)):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
            continue
        if path.stem in found:
            raise ValueError(
                f"Two files for frame {path.stem!r}. Received: {found[path.stem]} and {path.name}. Keep one of them."
            )
        found[path.stem] = path
    return found


def read_size(path, modes):
    """Read an image's size and kind from its header, without decoding it.

    Parameters
    ----------
    path : Path
    modes : tuple of str
        Accepted kinds of pixels, as Pillow names them: FRAME_MODES or MASK_MODES.

    Returns
    -------
    tuple of int
        Height and width in pixels.

    Raises
    ------
    FileNotFoundError
    ValueError
        When the file is no image, has several pages, or holds another kind of pixels.
    """
    with _open(path, modes) as image:
        return image.height, image.width


def read_pixels(path, modes=FRAME_MODES):
    """Read a frame.

    Parameters
    ----------
    path : Path
    modes : tuple of str
        Accepted kinds of pixels, as Pillow names them; ("RGB",) refuses palettes and alpha channels too.

    Returns
    -------
    ndarray of shape (height, width, 3), uint8
        RGB.

    Raises
    ------
    FileNotFoundError
    ValueError
        When the file is damaged, grayscale, CMYK, 16-bit, transparent or has several pages.
    """
    with _open(path, modes) as image:
        return _to_rgb(image, path)


def read_grey(path):
    """Read an ultrasound image, exactly: a palette is looked up, equal channels become one.

    Parameters
    ----------
    path : Path

    Returns
    -------
    ndarray of shape (height, width), uint8

    Raises
    ------
    FileNotFoundError
    ValueError
        When the file is damaged, 16-bit, transparent, has several pages, or a pixel in colour.
    """
    with _open(path, GREY_MODES) as image:
        if image.mode == "L" and "transparency" not in image.info:
            return _decode(image, path, "L")
        rgb = _to_rgb(image, path)
    coloured = np.argwhere((rgb != rgb[..., :1]).any(axis=2))
    if len(coloured):
        row, column = coloured[0].tolist()
        raise ValueError(
            f"{path}: expected a grey image, red = green = blue. Received: {len(coloured)} pixels in colour, first in "
            f"row {row}, column {column}: {rgb[row, column].tolist()}. Take drawn lines and colour Doppler away first."
        )
    return np.ascontiguousarray(rgb[..., 0])


def read_mask(path):
    """Read a mask as true and false.

    Parameters
    ----------
    path : Path

    Returns
    -------
    ndarray of shape (height, width), bool

    Raises
    ------
    FileNotFoundError
    ValueError
        When the file is damaged, coloured, mostly grey (a photo), or has values above 0 none of which reaches
        128 (a mask of 0 and 1 would otherwise pass for one without polyp).
    """
    with _open(path, MASK_MODES) as image:
        grey = _to_grey(image, path)
    share = np.mean((grey > 64) & (grey < 192))
    if share > MAX_GREY_SHARE:
        raise ValueError(
            f"{path}: expected a mask with values near 0 and 255. Received: {share:.0%} of the pixels between "
            f"64 and 192, at most {MAX_GREY_SHARE:.0%} are accepted. Is it a photo?"
        )
    if 0 < grey.max() < THRESHOLD:
        raise ValueError(
            f"{path}: expected a mask of 0 and 255. Received: values from 0 to {grey.max()}, none of them "
            f"{THRESHOLD} or above. Multiply the mask so that polyps are 255."
        )
    return grey >= THRESHOLD


def number_lesions(mask, min_lesion_px=MIN_LESION_PX):
    """Label the connected parts of a mask (8 neighbours) with numbers, leaving out specks.

    Parameters
    ----------
    mask : ndarray of shape (height, width), bool
    min_lesion_px : int
        Fewest pixels of a lesion.

    Returns
    -------
    ndarray of shape (height, width), int32
        0 for background, 1, 2, ... for lesions from top to bottom.
    """
    parts = label(mask, connectivity=2)
    areas = np.bincount(parts.ravel())
    kept = areas >= min_lesion_px
    kept[0] = False
    numbers = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    return numbers[parts]


def read_truth(path, min_lesion_px=MIN_LESION_PX):
    """Read a mask and number its lesions; see `read_mask` for errors and `number_lesions` for the result."""
    return number_lesions(read_mask(path), min_lesion_px)


def _open(path, modes):
    """Open an image without decoding it; refuse what is no image of these modes with 8 bits and one page."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file.")
    try:
        image = PIL.Image.open(path)
        pages = getattr(image, "n_frames", 1)
    except Exception as error:  # Pillow's decoders raise a dozen kinds, none of which names the file
        raise _unreadable(path, error) from error
    deep = ";16" in str(image.tile)  # Pillow would round 16-bit colour to 8 bits without a word
    keyed = "RGBA" not in modes and "transparency" in image.info  # one colour of an RGB file stands for "transparent"
    if image.mode not in modes or deep or keyed or pages != 1:
        kind = f"{image.mode}{', 16 bits' if deep else ''}{', a transparent colour' if keyed else ''}"
        image.close()
        raise ValueError(
            f"{path}: expected one 8-bit image of kind {', '.join(modes)}. Received: {kind}, {pages} page(s). "
            "Convert the file."
        )
    return image


def _to_rgb(image, path):
    """Decode to an array of shape (height, width, 3), uint8, exactly; a transparent pixel is an error."""
    if image.mode == "RGB":
        return _decode(image, path, "RGB")
    rgba = _decode(image, path, "RGBA")
    if rgba[..., 3].min() < 255:
        raise ValueError(f"{path}: expected an opaque image. Received: transparent pixels.")
    return np.ascontiguousarray(rgba[..., :3])


def _to_grey(image, path):
    """Decode to an array of shape (height, width), uint8; colour is an error."""
    if image.mode in ("1", "L"):
        return _decode(image, path, "L")
    red, green, blue = np.moveaxis(_to_rgb(image, path).astype(np.int16), 2, 0)
    spread = max(np.abs(red - green).max(), np.abs(red - blue).max())
    if spread > MAX_CHANNEL_SPREAD:
        raise ValueError(f"{path}: expected a mask in black and white. Received: channels that differ by {spread}.")
    return red.astype(np.uint8)


def _decode(image, path, mode):
    try:
        return np.array(image.convert(mode))
    except Exception as error:  # as above
        raise _unreadable(path, error) from error


def _unreadable(path, error):
    return ValueError(
        f"{path}: expected an image file ({', '.join(SUFFIXES)}). Received: {type(error).__name__}: {error}. "
        "The file may be damaged or cut short; download it again."
    )
