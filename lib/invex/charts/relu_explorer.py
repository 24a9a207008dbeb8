"""What `relu-preimages.js` needs of networks: their layers, the cells of the plane, what each is."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from invex.analysis.circles import Trained
from invex.analysis.preimages import KINDS, conditions, kinds
from invex.charts.relu_preimages import REACH, plane, region


def explorer(trained: Trained, networks: Sequence[tuple[int, str]]) -> dict[str, Any]:
    """The data of the interactive, for networks by number and name."""
    return {"reach": REACH, "networks": [_explored(trained, which, name) for which, name in networks]}


def _explored(trained: Trained, which: int, name: str) -> dict[str, Any]:
    weight, bias = trained.weight[which], trained.bias[which]
    grid = plane(side=161)
    on = (grid @ weight.mT + bias) > 0
    cells = []
    for pattern in on.unique(dim=0):
        own = grid[(on == pattern).all(1)]
        inside = own[((own @ weight.mT + bias).abs() / weight.norm(dim=1)).amin(1).argmax()]
        signs = torch.where(pattern, -1.0, 1.0).double()
        cell = region(signs[:, None] * weight, -signs * bias, inside)
        cells.append(
            {
                "on": pattern.int().tolist(), "outline": _short(cell),
                "kind": KINDS[int(kinds(weight, bias, inside[None]))],
                "condition": round(float(conditions(weight, bias, inside[None])), 3),
            }
        )  # fmt: skip
    layer = {"weight": _short(weight), "bias": _short(bias), "out": _short(trained.out[which])}
    return {"name": name, **layer, "offset": float(trained.offset[which]), "cells": cells}


def _short(values: Any) -> list[Any]:
    return [_short(v) if np.ndim(v) else float(f"{float(v):.6g}") for v in np.asarray(values)]
