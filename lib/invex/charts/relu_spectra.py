"""What the chapter on pre-images draws beyond the plane: bounds, dimensions, layers, singular values."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import nn

from invex.analysis.preimages import KINDS
from invex.charts.relu_preimages import KIND_COLOURS, KIND_WORDS
from invex.charts.style import (
    BLUE,
    INK,
    MUTED,
    OCHRE,
    VERMILION,
    label_ends,
    legend,
    narrow,
    panels,
    plain_ticks,
    width,
)

NETWORK_COLOURS = {"WideCIFAR": BLUE, "ThinCIFAR": VERMILION}
UNTRAINED = (0, (2, 2))


def bounds(removals: pd.DataFrame) -> Figure:
    """Smallest singular value after the removal of rows, against each bound; equality as a line."""
    figure, axes = panels(3, columns=3, height=2.9)
    names = ("lemma_3_5", "interlaced", "lemma_3_6")
    titles = ("Lemma 3.5", "by rank (interlacing)", "Lemma 3.6")
    for axis, name, title in zip(axes.flat, names, titles, strict=True):
        own = removals[removals[name].notna()]
        for biased, colour, word in ((False, OCHRE, "b = 0"), (True, BLUE, "b ≠ 0")):
            some = own[own["biased"] == biased]
            axis.loglog(some[name], some["smallest"], "o", color=colour, ms=2.8, alpha=0.7, mew=0, label=word)
        axis.plot([1e-3, 10], [1e-3, 10], color=MUTED, lw=1, ls=(0, (4, 3)))
        axis.set(xlim=(0.02, 6), ylim=(1e-3, 6), xlabel="bound", title=title)
        share = len(own) / max(len(removals), 1)
        axis.annotate(
            f"speaks in {share:.0%}", (0.04, 0.93), xycoords="axes fraction", color=MUTED, fontsize=9
        )
    for axis in axes.flat if narrow() else axes.flat[:1]:
        axis.set_ylabel("smallest singular value")
    axes.flat[0].legend(loc="lower right", handletextpad=0.1)
    return figure


def kinds_in_dimensions(found: pd.DataFrame) -> Figure:
    """Shares of the kinds by the number of inputs, and of condition numbers above one among each kind."""
    figure, axes = panels(2, columns=2, height=2.8)
    left, right = axes.flat
    shares = kind_shares(found)
    for kind in KINDS:
        own = shares[shares["kind"] == kind]
        left.plot(own["inputs"], own["share"], "o-", color=KIND_COLOURS[kind], label=KIND_WORDS[kind])
        right.plot(own["inputs"], own["above one"], "o-", color=KIND_COLOURS[kind], label=KIND_WORDS[kind])
    left.set(xlabel="inputs", ylabel="share of pre-images", ylim=(0, 1))
    right.set(xlabel="inputs", ylabel="share with condition > 1", ylim=(-0.02, 1.04))
    label_ends(left)
    return figure


def kind_shares(found: pd.DataFrame) -> pd.DataFrame:
    """By inputs and kind: share of the points, and share of those whose condition number is above one."""
    rows = []
    for inputs, own in found.groupby("inputs"):
        for kind in KINDS:
            some = own[own["kind"] == kind]
            above = float((some["condition"] > 1 + 1e-9).mean()) if len(some) else np.nan
            rows.append({"inputs": inputs, "kind": kind, "share": len(some) / len(own), "above one": above})
    return pd.DataFrame(rows)


def architectures(made: dict[str, nn.Sequential]) -> pd.DataFrame:
    """Table 3.1 from the modules: type, kernel, stride, feature maps and outputs of every layer."""
    columns = {name: list(_described(network)) for name, network in made.items()}
    first, *_ = columns.values()
    table = pd.DataFrame([{key: row[key] for key in ("layer", "type", "kernel", "stride")} for row in first])
    for name, rows in columns.items():
        table[f"{name[:4]} maps"] = [row["maps"] for row in rows]
        table[f"{name[:4]} outputs"] = [row["outputs"] for row in rows]
    return table


def _described(network: nn.Sequential) -> list[dict[str, object]]:
    value = torch.zeros(1, 3, 32, 32)
    rows: list[dict[str, object]] = [_row(0, "input", value)]
    for layer in network:
        value = layer(value)
        if isinstance(layer, nn.Conv2d):
            sizes = {"kernel": f"{layer.kernel_size}", "stride": f"{layer.stride}"}
            rows.append(_row(len(rows), "convolution", value) | sizes)
        elif isinstance(layer, nn.Linear):
            rows.append(_row(len(rows), "dense", value))
    return rows


def _row(number: int, kind: str, value: torch.Tensor) -> dict[str, object]:
    maps = str(value.shape[1]) if value.dim() == 4 else "–"
    plain = {"layer": number, "type": kind, "kernel": "–", "stride": "–"}
    return plain | {"maps": maps, "outputs": value.numel()}


def spectra(values: pd.DataFrame, layers: pd.DataFrame, zero: float) -> Figure:
    """Singular values by rank after layers 1 to 6 of each network; outputs, their number, condition number.

    Args:
        values: architecture, epochs, layer, rectified, rank, value: of one trained seed a network.
        layers: architecture, epochs, seed, layer, rectified, outputs, zero, number, condition.
        zero: the share of the largest value below which one counts as zero.
    """
    names = [name for name in NETWORK_COLOURS if (layers["architecture"] == name).any()]
    trained = [name for name in names if (values["architecture"] == name).any()]
    shown = layers[layers["zero"] == zero]
    if not narrow():
        figure = plt.figure(figsize=(width(), 6.6))
        halves: Any = figure.subfigures(1, 2, width_ratios=(1.15, 1))
        decays, curves = halves[0].subplots(len(trained), 1, squeeze=False)[:, 0], halves[1].subplots(3, 1)
    else:
        figure, axes = plt.subplots(len(trained) + 3, 1, figsize=(width(), 2.6 * (len(trained) + 3)))
        decays, curves = axes[: len(trained)], axes[len(trained) :]
    for axis, name in zip(decays, trained, strict=True):
        _decay(axis, values[values["architecture"] == name], name)
    _over_layers(curves[0], shown, "outputs", "outputs", names)
    _over_layers(curves[1], shown, "number", "number above zero", names)
    _over_layers(curves[2], shown, "condition", "condition number", names)
    curves[1].set_title("singular values")
    curves[2].set_xlabel("layer (convolution ○, ReLU ●)")
    return figure


def _decay(axes: Axes, own: pd.DataFrame, name: str) -> None:
    own = own[(own["rectified"] == 1) & (own["layer"] <= 6) & (own["value"] > 0)]
    colours = plt.get_cmap("viridis")(np.linspace(0.05, 0.88, 6))
    for layer, some in own.groupby("layer"):
        axes.semilogy(some["rank"], some["value"], color=colours[int(str(layer)) - 1], label=f"{layer}")
    axes.set(title=f"{name}: singular values after layer", ylabel="singular value")
    axes.set_xlabel("rank")
    legend(axes, ncols=2, loc="lower left", handlelength=1.1, columnspacing=1)
    top, low = (own["value"].max(), own["value"].min()) if len(own) else (1.0, 0.1)
    axes.set_ylim(max(low / 30, top * 1e-8), top * 3)


def _over_layers(axes: Axes, shown: pd.DataFrame, column: str, label: str, names: list[str]) -> None:
    for name in names:
        for (epochs, seed), own in shown[shown["architecture"] == name].groupby(["epochs", "seed"]):
            own = own[own["layer"] <= 6].sort_values(["layer", "rectified"])
            place = own["layer"] - 0.5 * (1 - own["rectified"])
            dashes = "-" if epochs else UNTRAINED
            colour = NETWORK_COLOURS[name]
            first = bool(epochs) and seed == shown["seed"].min()
            axes.semilogy(
                place, own[column], ls=dashes, color=colour, lw=1.8 if epochs else 1.1,
                label=name if first else "_", alpha=1.0 if first or not epochs else 0.5,
            )  # fmt: skip
            if epochs:
                fill = np.where(own["rectified"] == 1, colour, "none")
                axes.scatter(place, own[column], s=16, c=fill, edgecolors=colour, zorder=3, linewidths=1)
    axes.set(ylabel=label, xticks=range(1, 7), xlim=(0.3, 6.3))
    plain_ticks(axes.yaxis, shown[column].max() / max(shown[column].min(), 1))
    if column == "outputs":
        legend(axes, loc="upper right")
    if column == "condition" and not shown[shown["epochs"] == 0].empty:
        axes.annotate("dashed: untrained", (0.02, 0.9), xycoords="axes fraction", color=INK, fontsize=8.5)


def zeros_table(layers: pd.DataFrame, layer: int = 6) -> pd.DataFrame:
    """Number of singular values and condition number after a layer, by where a value counts as zero."""
    own = layers[(layers["layer"] == layer) & (layers["rectified"] == 1) & (layers["epochs"] > 0)]
    table = own.groupby(["architecture", "zero"], sort=False)[["number", "condition"]].median().reset_index()
    wide = table.pivot(index="zero", columns="architecture", values=["number", "condition"])
    wide.columns = [f"{name[:4]} {column}" for column, name in wide.columns]
    return wide.reset_index().rename(columns={"zero": "zero below"})


def as_in_table_3_1(table: pd.DataFrame) -> bool:
    """Whether kernels, strides and dense layers are those of Table 3.1, whatever the maps."""
    inner = table.iloc[1:7]
    strides = [f"({stride}, {stride})" for stride in (1, 2, 1, 1, 1, 2)]
    dense = table[table["type"] == "dense"]["Wide outputs"].tolist()
    return (inner["kernel"] == "(3, 3)").all() and inner["stride"].tolist() == strides and dense == [512, 10]


def first_seed(values: pd.DataFrame) -> pd.DataFrame:
    """The rows of each network's first seed, which are what a panel draws."""
    if values.empty:
        return values
    least = values.groupby("architecture")["seed"].transform("min")
    return values[values["seed"] == least]
