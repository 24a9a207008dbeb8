"""Images turned by a known angle, which is their property (Nesterov et al. 2022, Sec. 5.2 and App. A.4).

Angles are in radians, positive counter-clockwise as the image is seen. The released code pads 28 to 44
pixels, turns once, and crops to 36; here the turn reads the padded image, with the same result.
"""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from invex.data import images

LIMIT = math.pi / 4
"""Angles are uniform on [-LIMIT, LIMIT]."""
SEVEN = {0: "T-shirt", 1: "trousers", 2: "pullover", 3: "dress", 4: "coat", 6: "shirt", 7: "sneaker"}
"""The classes of Fashion-MNIST that the source keeps, by label: not sandal, bag and ankle boot."""
SIDES = {"fashion_mnist": 36, "digits": 12}
"""Side of the turned images: 28 + 8, and 8 + 4 for the stand-in."""


@dataclass(frozen=True)
class Upright:
    """Images before they are turned.

    Attributes:
        images: (n, s, s) uint8, not yet padded.
        labels: (n,) class of each.
        side: of the images once they are turned.
        names: of the classes, by label.
        data: "name split" -> digest, for the record.
    """

    images: Tensor
    labels: Tensor
    side: int
    names: dict[int, str]
    data: dict[str, str]

    def turned(self, angles: Tensor, rows: Tensor | None = None) -> Tensor:
        """The images at these rows (default all), each by its angle (n,): (n, side, side) uint8."""
        chosen = self.images if rows is None else self.images[rows]
        found = [
            (255 * rotate(some.float() / 255, angle, self.side)).round().clamp(0, 255).to(torch.uint8)
            for some, angle in zip(chosen.split(4096), angles.split(4096), strict=True)
        ]
        return torch.cat(found)

    def to(self, device: str | torch.device) -> "Upright":
        """The same on a device."""
        return Upright(self.images.to(device), self.labels.to(device), self.side, self.names, dict(self.data))


def load(dataset: str = "fashion_mnist", split: str = "train", folder: Path | None = None) -> Upright:
    """One split of the seven classes of Fashion-MNIST, or of the digits that stand in for it (all ten).

    Raises:
        DataError: as `images.load`; a data set that is neither of the two.
    """
    if dataset not in SIDES:
        raise images.DataError(f"no turned images of {dataset!r}; there are {', '.join(SIDES)}")
    whole = images.load(dataset, split, folder)
    names = SEVEN if dataset == "fashion_mnist" else {label: str(label) for label in range(10)}
    kept = np.isin(whole.labels, list(names))
    remark = f" ({whole.subset})" if whole.subset else ""
    return Upright(
        torch.from_numpy(np.ascontiguousarray(whole.images[kept, :, :, 0])),
        torch.from_numpy(whole.labels[kept]),
        SIDES[dataset],
        dict(names),
        {f"{dataset} {split}": whole.digest + remark},
    )


def angles(n: int, seed: int, *, device: str | torch.device = "cpu") -> Tensor:
    """n angles uniform on [-pi/4, pi/4], the same for a seed on every device."""
    drawn = torch.rand(n, generator=torch.Generator().manual_seed(seed))
    return (LIMIT * (2 * drawn - 1)).to(device)


def rotate(pictures: Tensor, angle: Tensor, side: int) -> Tensor:
    """Pictures (n, s, s) turned counter-clockwise by angles (n,) about their centre: (n, side, side).

    Bilinear; what lies beyond a picture is zero, as if it had been padded first.
    """
    small = pictures.shape[-1]
    cos, sin = angle.cos(), angle.sin()
    zero = torch.zeros_like(cos)
    # a pixel of the result at p (y downwards) shows the picture at R p, in units of half the picture's side
    maps = torch.stack([torch.stack([cos, -sin, zero], -1), torch.stack([sin, cos, zero], -1)], 1)
    shape = [len(pictures), 1, side, side]
    grid = functional.affine_grid(maps.to(pictures), shape, align_corners=False) * (side / small)
    found = functional.grid_sample(
        pictures[:, None], grid, mode="bilinear", padding_mode="zeros", align_corners=False
    )
    return found[:, 0]
