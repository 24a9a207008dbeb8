"""Pre-images of single points: drawn for some, and what `relu-preimages.js` needs to draw them for all."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from invex.analysis.circles import ThreeUnitNetworks
from invex.analysis.preimages import KINDS, conditions, kinds, preimage
from invex.charts.relu_preimages import KIND_COLOURS, REACH, draw_kinds, map_frame, plane, region, square
from invex.charts.style import INK, panels


def samples(trained: ThreeUnitNetworks, networks: Sequence[tuple[int, str]], count: int = 12) -> pd.DataFrame:
    """Some inputs and what their pre-image is, for networks by number and name."""
    frames = []
    for which, name in networks:
        x = 0.9 * REACH * (2 * torch.rand(count, 2, generator=torch.Generator().manual_seed(4)).double() - 1)
        kind = np.array(KINDS)[kinds(trained.weight[which], trained.bias[which], x)]
        frames.append(pd.DataFrame({"network": name, "x1": x[:, 0], "x2": x[:, 1], "kind": kind}))
    return pd.concat(frames, ignore_index=True)


def some_preimages(
    trained: ThreeUnitNetworks, networks: Sequence[tuple[int, str]], points: pd.DataFrame
) -> Figure:
    """The cells of the plane and the pre-images of some inputs, for each network."""
    figure, axes = panels(len(networks), columns=max(len(networks), 2), height=3.3)
    for axis, (which, name) in zip(axes.flat, networks, strict=True):
        draw_kinds(axis, map_frame(trained, which, name))
        own = points[points["network"] == name]
        for x, kind in zip(torch.tensor(own[["x1", "x2"]].to_numpy()), own["kind"], strict=True):
            found = preimage(trained.weight[which], trained.bias[which], x).vertices(within=8.0).numpy()
            axis.add_patch(
                Polygon(found, facecolor=INK, edgecolor=INK, alpha=0.45, lw=2, closed=len(found) > 2)
            )
            axis.plot(*x.tolist(), "o", color=KIND_COLOURS[kind], markeredgecolor=INK, ms=5)
        axis.set_title(name)
        square(axis, REACH)
    return figure


def explorer(trained: ThreeUnitNetworks, networks: Sequence[tuple[int, str]]) -> dict[str, Any]:
    """The data of the interactive, for networks by number and name."""
    return {"reach": REACH, "networks": [_explored(trained, which, name) for which, name in networks]}


def _explored(trained: ThreeUnitNetworks, which: int, name: str) -> dict[str, Any]:
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
