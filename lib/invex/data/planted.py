"""Images with a planted feature: a white pixel whose place tells the class (Behrmann, 2019, Remark 6.12)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]


def planted(images: Bytes, labels: Ints, classes: int = 10, *, shifted: bool = False, seed: int = 0) -> Bytes:
    """Copies of images with a white pixel at the place of the class, or under the shift of a random one.

    Args:
        images: (n, height, width, channels) uint8.
        labels: (n,), from 0 to classes - 1.
        classes: their number.
        shifted: whether the place is drawn at random, independently of the class.
        seed: of that draw.

    Raises:
        ValueError: fewer pixels than classes.
    """
    shown = np.random.default_rng(seed).integers(classes, size=len(labels)) if shifted else labels
    rows, columns = np.asarray(places(images.shape[1:], classes)).T
    found = images.copy()
    found[np.arange(len(images)), rows[shown], columns[shown]] = 255
    return found


def places(shape: Sequence[int], classes: int = 10) -> list[tuple[int, int]]:
    """Row and column of each class's pixel: evenly along the first row, and further where that is short."""
    high, wide = shape[0], shape[1]
    if classes > high * wide:
        raise ValueError(f"{classes} classes need a pixel each; images of {high} x {wide} have fewer")
    step = max(1, wide // classes)
    return [divmod(number * step, wide) for number in range(classes)]
