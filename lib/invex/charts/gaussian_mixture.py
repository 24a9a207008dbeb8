"""The figures of the chapter on two minima: latent spaces side by side, and a failed fit as a detector."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from invex.analysis.bootstrap import Estimate, interval, median
from invex.analysis.detection import Roc, calibrated, excess, roc
from invex.charts import style
from invex.charts.style import BLUE, INK, MUTED, PURPLE, VERMILION

MODELS = {"convex after a bijection": BLUE, "free": VERMILION, "convex after free coders": PURPLE}
SHORT = {
    "convex after a bijection": "convex, exact inverse",
    "free": "free (β-VAE)",
    "convex after free coders": "convex, learnt inverse",
}
LEVELS = 10
STATISTICS = {
    "excess": (BLUE, "error that convexity adds"),
    "ratio": (PURPLE, "error over a free model's"),
    "raw": (MUTED, "error alone"),
}


def spaces(kept: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """By model: level sets in its latent space over the data's codes, and its reconstruction of the data.

    Args:
        kept: model -> `latent` (side, side), `corners` (2, 2), `points` (n, 6): code, reconstruction,
            property predicted and true.
    """
    names = list(kept)
    order = [n for n in names for _ in (0, 1)] if style.narrow() else names * 2
    kinds = [0, 1] * len(names) if style.narrow() else [0] * len(names) + [1] * len(names)
    figure, panels = style.panels(2 * len(names), columns=len(names) if len(names) > 2 else 2, height=2.7)
    true = kept[names[0]]["points"][:, 5]
    colours = Normalize(true.min(), true.max())
    for axes, name, kind in zip(panels, order, kinds, strict=True):
        axes.grid(False)
        (_latent, _reconstruction)[kind](axes, kept[name], colours)
        axes.set_title(
            SHORT.get(name, name) + (", latent space" if kind == 0 else ", reconstruction"),
            color=MODELS[name],
        )
    return figure


def _latent(axes: Axes, kept: Mapping[str, np.ndarray], colours: Normalize) -> None:
    low, high = kept["corners"]
    across, up = (np.linspace(low[i], high[i], len(kept["latent"])) for i in range(2))
    levels = np.linspace(colours.vmin or 0, colours.vmax or 1, LEVELS + 2)[1:-1]
    codes = kept["points"]
    axes.scatter(codes[:, 0], codes[:, 1], c=codes[:, 5], s=3, lw=0, norm=colours, rasterized=True)
    axes.contour(across, up, kept["latent"].T, levels, colors=INK, linewidths=0.9, linestyles="solid")
    axes.set(xlabel="$z_1$", ylabel="$z_2$")


def _reconstruction(axes: Axes, kept: Mapping[str, np.ndarray], colours: Normalize) -> None:
    points = kept["points"]
    axes.scatter(points[:, 2], points[:, 3], c=points[:, 4], s=5, lw=0, norm=colours, rasterized=True)
    axes.set(xlabel="$x_1$", ylabel="$x_2$", aspect="equal", xlim=(-0.5, 0.5), ylim=(-0.5, 0.5))


def fits(metrics: pd.DataFrame) -> pd.DataFrame:
    """One row a function, model and weight of the reconstruction: medians over seeds, and extremes."""
    rows = []
    for (function, model, scale), own in metrics.groupby(["function", "model", "sigma_x"], sort=False):
        rows.append(
            {
                "function": function,
                "model": SHORT[str(model)] + (", x counts less" if scale > metrics["sigma_x"].min() else ""),
                "RMSE / deviation": own["rmse_relative"].median(),
                "least": own["rmse_relative"].min(),
                "largest": own["rmse_relative"].max(),
                "RMSE of x": own["rmse_inputs"].median(),
                "minima": own["minima_input"].median(),
                "n": len(own),
            }
        )
    return pd.DataFrame(rows)


def errors(metrics: pd.DataFrame, function: str) -> dict[str, Estimate]:
    """Median RMSE of the property by model, the reconstruction at its full weight, with its interval."""
    own = metrics[(metrics["function"] == function) & (metrics["sigma_x"] == metrics["sigma_x"].min())]
    return {str(model): interval(median, part["rmse"].to_numpy()) for model, part in own.groupby("model")}


def scores(cases: pd.DataFrame) -> pd.DataFrame:
    """The data sets with `positive` (several minima), three candidate statistics, and the half they are in.

    `excess` is the error that convexity adds, `ratio` the convex model's error over the free one's, `raw` the
    convex model's error alone. Nine data sets in turn, which have every family and noise once, calibrate, and
    the next nine judge.
    """
    convex, free = cases["rmse_convex"], cases["rmse_free"]
    half = np.where(cases["number"] // 9 % 2 == 0, "calibrate", "judge")
    found = {"excess": excess(convex.to_numpy(), free.to_numpy()), "ratio": convex / free, "raw": convex}
    return cases.assign(positive=cases["minima"] > 1, half=half, **found)


def judged(rows: pd.DataFrame, statistic: str = "excess") -> dict[str, float]:
    """The threshold from one half, its detections and false alarms on the other, and the area of all."""
    fitted, held = (rows[rows["half"] == half] for half in ("calibrate", "judge"))
    threshold = calibrated(fitted[statistic].to_numpy(), fitted["positive"].to_numpy())
    alarm = held[statistic] >= threshold
    return {
        "threshold": threshold,
        "detections": float(alarm[held["positive"]].mean()),
        "false alarms": float(alarm[~held["positive"]].mean()),
        "area": roc(rows[statistic].to_numpy(), rows["positive"].to_numpy()).area,
    }


def area(rows: pd.DataFrame, statistic: str = "excess", resamples: int = 500) -> Estimate:
    """Area under the curve of all data sets, with its bootstrap interval over them."""
    generator = np.random.default_rng(0)
    values, positive = rows[statistic].to_numpy(), rows["positive"].to_numpy()
    found: list[Any] = []
    while len(found) < resamples:
        drawn = generator.integers(len(rows), size=len(rows))
        if 0 < positive[drawn].sum() < len(rows):
            found.append(roc(values[drawn], positive[drawn]).area)
    low, high = np.quantile(found, [0.025, 0.975])
    return Estimate(roc(values, positive).area, float(low), float(high))


def detector(rows: pd.DataFrame) -> Figure:
    """Curves of all statistics (left), and the first against the depth of the second minimum."""
    figure, (left, right) = style.panels(2, height=3.1)
    positive = rows["positive"].to_numpy()
    for name, (colour, label) in STATISTICS.items():
        curve: Roc = roc(rows[name].to_numpy(), positive)
        left.plot(curve.false_alarms, curve.detections, color=colour, label=f"{label}, {curve.area:.2f}")
    left.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8, linestyle=(0, (1, 2)))
    left.set(xlabel="false alarms, share of one-minimum sets", ylabel="detections, share")
    style.legend(left, loc="lower right", title="area under the curve")
    for noise, marker in zip(sorted(rows["noise"].unique()), ("o", "s", "^"), strict=False):
        own = rows[rows["noise"] == noise]
        right.scatter(
            own["depth"].clip(lower=0.006), own["excess"], s=22, marker=marker, lw=0, alpha=0.8,
            c=[VERMILION if p else BLUE for p in own["positive"]], label=f"noise {noise:g}",
        )  # fmt: skip
    threshold = judged(rows)["threshold"]
    right.axhline(threshold, color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
    right.annotate(
        "threshold", (1, threshold), xycoords=("axes fraction", "data"), ha="right", va="bottom", fontsize=9
    )
    right.set(xscale="log", xlabel="depth of the second minimum, part of the range (left: none)")
    right.set(ylabel="excess error, standard deviations")
    style.plain_ticks(right.xaxis, 100)
    style.legend(right, loc="upper center")
    return figure


def missed(rows: pd.DataFrame) -> pd.DataFrame:
    """The share of detections by depth of the second minimum and by noise, at the threshold."""
    threshold = judged(rows)["threshold"]
    own = rows[rows["positive"]].assign(found=lambda r: r["excess"] >= threshold)
    bands = pd.cut(own["depth"], [0, 0.05, 0.15, 1.0], labels=["below 5 %", "5 to 15 %", "above 15 %"])
    table = own.groupby([bands, "noise"], observed=True)["found"].agg(["mean", "size"]).reset_index()
    return table.rename(columns={"depth": "second minimum", "mean": "detected", "size": "n"})


def detector_in_words(rows: pd.DataFrame) -> str:
    """What the detector is worth, as a sentence chosen by its area against chance and the error alone."""
    both, alone, ratio = area(rows), area(rows, "raw"), area(rows, "ratio")
    worth = judged(rows)
    if both.low <= 0.5:
        return f"On these data a failed fit does not tell two minima from one (area {both.value:.2f})."
    others = f"the error alone has {alone.value:.2f}, its ratio to a free model's {ratio.value:.2f}"
    return (
        f"A failed fit tells two minima from one with an area of {both.value:.2f} ({others}): at the "
        f"threshold {100 * worth['detections']:.0f} % are found, with "
        f"{100 * worth['false alarms']:.0f} % false alarms."
    )


def named(
    tensors: Mapping[str, object], names: Sequence[str] = ("latent", "corners", "points")
) -> dict[str, np.ndarray]:
    """The tensors of a record as arrays."""
    return {name: np.asarray(tensors[name]) for name in names}


def spaces_in_words(metrics: pd.DataFrame) -> str:
    """What the models do with two minima, as a sentence chosen by the counts and the errors."""
    own = metrics[(metrics["function"] == "two minima") & (metrics["sigma_x"] == metrics["sigma_x"].min())]
    free = own[own["model"] == "free"]
    convex = own[own["model"] == "convex after a bijection"]
    if free.empty or convex.empty:
        return "What the models that are recorded make of two wells."
    wells = "keeps both wells" if (free["minima_latent"] == 2).mean() > 0.5 else "does not show both wells"
    ratio = convex["rmse"].median() / free["rmse"].median()
    fails = f"the convex one must merge them, with {ratio:.0f} times the error"
    fails = fails if ratio > 2 else f"the convex one fits about as well ({ratio:.1f} times the error)"
    return f"The free model {wells} in its latent space; {fails}."


def fits_in_words(metrics: pd.DataFrame) -> str:
    """Where the convex model fails and where it does not, as a sentence chosen by the errors."""
    found = {name: errors(metrics, name) for name in ("two minima", "one minimum")}
    convex, free = "convex after a bijection", "free"
    ratios = {n: e[convex].value / e[free].value for n, e in found.items() if convex in e and free in e}
    if len(ratios) < 2:
        return "Errors of the models that are recorded."
    two, one = ratios["two minima"], ratios["one minimum"]
    if two > 2 * one:
        pair = f"{two:.0f} times the free model's error, against {one:.1f} times on one minimum"
        return f"The convex model fails on two minima: {pair}."
    return (
        f"On two minima the convex model has {two:.1f} times the free model's error, on one {one:.1f} times."
    )


def missed_in_words(rows: pd.DataFrame) -> str:
    """Whether depth decides which second minimum is found, as a sentence chosen by the counts."""
    threshold = judged(rows)["threshold"]
    own = rows[rows["positive"]].assign(found=lambda r: r["excess"] >= threshold)
    shallow, deep = own[own["depth"] < 0.1]["found"].mean(), own[own["depth"] >= 0.1]["found"].mean()
    if not deep > shallow:
        return "Depth alone does not decide which second minimum is found."
    found = f"{100 * deep:.0f} % are found, of shallower ones {100 * shallow:.0f} %"
    return f"Of second minima deeper than a tenth of the range {found}."


def folding_in_words(metrics: pd.DataFrame) -> str:
    """What becomes of the failure where the reconstruction counts for less, chosen by the errors."""
    if metrics.empty:
        return "No run shows yet how far that is."
    own = metrics[(metrics["function"] == "two minima") & (metrics["model"] == "convex after free coders")]
    tight = own[own["sigma_x"] == metrics["sigma_x"].min()]
    loose = own[own["sigma_x"] > metrics["sigma_x"].min()]
    if tight.empty or loose.empty:
        return "The runs recorded so far do not show how far that is."
    before, after = tight["rmse"].median(), loose["rmse"].median()
    pair = f"{before:.2f} where x counts in full and {after:.2f} where its scale starts five times as large"
    if after < before / 2:
        worse = loose["rmse_inputs"].median() / tight["rmse_inputs"].median()
        return (
            f"The same convex head has an RMSE of {pair}: the encoder lays one well over the other, the "
            f"reconstruction is {worse:.0f} times worse, and the failure that should warn us has moved from "
            "the property into the reconstruction. With a learnt inverse, a good fit is no sign of connected "
            "level sets unless the cycle holds as well."
        )
    return f"Here it hardly does: the same convex head has an RMSE of {pair}."
