"""The figures of the chapter on turned clothes: strips of pictures along paths, and the angles on them."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from invex.analysis.bootstrap import Estimate, interval
from invex.charts import style
from invex.charts.style import BLUE, MUTED, OCHRE, VERMILION

METHODS = {"level set": BLUE, "straight line": VERMILION, "angles alone": OCHRE}
ROWS = {"level set": "on the level set", "straight line": "straight line", "angles alone": "angles alone"}


def montage(pictures: np.ndarray, columns: int, gap: int = 2) -> np.ndarray:
    """Pictures (n, side, side) as one, row by row, with a gap of NaN between them."""
    count, side = len(pictures), pictures.shape[-1]
    rows = -(-count // columns)
    sheet = np.full((rows * (side + gap) - gap, columns * (side + gap) - gap), np.nan)
    for number, picture in enumerate(pictures):
        top, left = (side + gap) * (number // columns), (side + gap) * (number % columns)
        sheet[top : top + side, left : left + side] = picture
    return sheet


def _show(axes: Axes, sheet: np.ndarray) -> None:
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=255)
    axes.set_axis_off()


def strips(paths: np.ndarray, ends: np.ndarray, rows: pd.DataFrame) -> Figure:
    """One pair: its two images, and what is decoded along each kind of path, with the angle that is read.

    Args:
        paths: (methods, steps, side, side), in the order of `METHODS`.
        ends: (2, side, side), the two images themselves.
        rows: method, step and `read` of the pair.
    """
    columns = paths.shape[1] // (2 if style.narrow() else 1)
    blocks = len(METHODS) if not style.narrow() else 1
    side = paths.shape[-1]
    lines = paths.shape[1] // columns
    height = style.width() / columns * lines * 1.28
    figure, panels = plt.subplots(
        blocks + 1, 1, figsize=(style.width(), blocks * (height + 0.3) + style.width() / columns + 0.35),
        height_ratios=[1, *[lines * 1.28] * blocks], squeeze=False,
    )  # fmt: skip
    blank = np.full((columns - 2, side, side), np.nan)
    _show(panels[0, 0], montage(np.concatenate([ends[:1], blank, ends[1:]]), columns))
    panels[0, 0].set_title("the two test images")
    for axes, method, strip in zip(panels[1:, 0], METHODS, paths, strict=False):
        _strip(axes, strip, rows.loc[rows["method"] == method, "read"].to_numpy(), columns)
        axes.set_title(ROWS[method], color=METHODS[method])
    return figure


def _strip(axes: Axes, strip: np.ndarray, read: np.ndarray, columns: int, gap: int = 2) -> None:
    """Pictures in rows, the angle that is read under each."""
    side, below = strip.shape[-1], strip.shape[-1] // 3
    padded = np.full((len(strip), side + below, side), np.nan)
    padded[:, :side] = strip
    rows = -(-len(strip) // columns)
    sheet = np.full((rows * (side + below), columns * (side + gap) - gap), np.nan)
    for number, picture in enumerate(padded):
        top, left = (side + below) * (number // columns), (side + gap) * (number % columns)
        sheet[top : top + side + below, left : left + side] = picture
        axes.annotate(
            f"{read[number]:.0f}°", (left + side / 2, top + side + 0.1 * below), ha="center", va="top",
            color=MUTED, fontsize=8,
        )  # fmt: skip
    _show(axes, sheet)


def pair_strips(paths: np.ndarray, ends: np.ndarray, names: Sequence[str]) -> Figure:
    """Several pairs on their level sets: first image, path, second image; one row a pair.

    Args:
        paths: (pairs, steps, side, side).
        ends: (pairs, 2, side, side).
        names: of each pair, with its angle.
    """
    every = 3 if style.narrow() else 1
    count = len(paths[0, ::every])
    figure, panels = style.panels(len(paths), columns=1, height=style.width() / (count + 3) + 0.3)
    for axes, path, both, name in zip(panels, paths, ends, names, strict=True):
        _show(axes, montage(np.concatenate([both[:1], path[::every], both[1:]]), count + 2))
        axes.set_title(name)
    return figure


def strays(rows: pd.DataFrame, reader: float) -> Figure:
    """How far the angle strays from its level along the paths: as the model predicts it, and as it is read.

    Args:
        rows: method, step, angle, predicted, read; of all pairs and seeds.
        reader: the regressor's own error on reconstructions, in degrees.
    """
    figure, panels = style.panels(2, height=2.8)
    for axes, column, title in zip(
        panels, ("predicted", "read"), ("as the model predicts it", "as it is read"), strict=True
    ):
        for method, colour in METHODS.items():
            own = rows[rows["method"] == method]
            off = (own[column] - own["angle"]).groupby(own["step"])
            middle = off.median()
            style.band(axes, middle.index, off.quantile(0.25), off.quantile(0.75), colour)
            axes.plot(middle.index, middle, color=colour, label=ROWS[method])
        axes.set(xlabel="step along the path", ylabel="angle − level, degrees", title=title)
    panels[1].axhspan(-reader, reader, color=MUTED, alpha=0.12, linewidth=0, zorder=0)
    panels[1].annotate(
        f"the regressor's own error, ±{reader:.1f}°", (0, reader), xytext=(2, 2), textcoords="offset points",
        color=MUTED, fontsize=9,
    )  # fmt: skip
    style.legend(panels[0], loc="lower center")
    return figure


def epochs_shown(metrics: pd.DataFrame) -> int:
    """Of runs of several lengths, the length with the most seeds; among equals the longest."""
    seeds = metrics.groupby("epochs")["seed"].nunique()
    return int(max(seeds.index, key=lambda epochs: (seeds[epochs], epochs)))


def inner(paths: pd.DataFrame) -> pd.DataFrame:
    """The rows between the ends of the paths, with `off_predicted` and `off_read`, degrees from the level."""
    last = paths["step"].max()
    rows = paths[(paths["step"] > 0) & (paths["step"] < last)]
    return rows.assign(
        off_predicted=(rows["predicted"] - rows["angle"]).abs(), off_read=(rows["read"] - rows["angle"]).abs()
    )


def by_method(paths: pd.DataFrame, column: str) -> dict[str, Estimate]:
    """Mean over pairs and seeds of |angle - level| between the ends, with its interval over pairs."""
    rows = inner(paths)
    found = {}
    for method in METHODS:
        own = rows[rows["method"] == method].groupby("pair")[column].mean()
        found[method] = interval(lambda sample: sample.mean(-1), own.to_numpy(), resamples=2000)
    return found


def gained(paths: pd.DataFrame) -> Estimate:
    """By how many degrees less the read angle strays on the level set than on the line; with its interval."""
    rows = inner(paths).groupby(["pair", "method"])["off_read"].mean().unstack("method")
    less = (rows["straight line"] - rows["level set"]).to_numpy()
    return interval(lambda sample: sample.mean(-1), less, resamples=2000)


def errors(metrics: pd.DataFrame) -> pd.DataFrame:
    """One row a quantity: its mean over the seeds, and the least and the largest."""
    names = {
        "angle_mae": "angle, model",
        "cycle_mae": "angle, after one more round",
        "reader_mae": "angle, regressor on images",
        "reader_mae_reconstructed": "angle, regressor on reconstructions",
        "pixel_rmse": "pixels (0 to 1), RMSE",
    }
    rows = []
    for key, name in names.items():
        own = metrics[key]
        rows.append(
            {"error": name, "mean": own.mean(), "least": own.min(), "largest": own.max(), "n": len(own)}
        )
    return pd.DataFrame(rows)


def bowls(metrics: pd.DataFrame, paths: pd.DataFrame) -> pd.DataFrame:
    """One row a curvature of the bowl: where its minimum lies, the angle's error, and strays by method."""
    rows: list[Mapping[str, float]] = []
    for curvature, own in metrics.groupby("curvature"):
        along = by_method(paths[paths["curvature"] == curvature], "off_predicted")
        rows.append(
            {
                "curvature": float(str(curvature)),
                "minimum at": own["minimum_norm"].mean(),
                "codes at": own["code_norm"].mean(),
                "angle error": own["angle_mae"].mean(),
                **{name: value[0] for name, value in along.items()},
                "n": len(own),
            }
        )
    return pd.DataFrame(rows)


def ends_are_nearer(tensors: Mapping[str, Tensor]) -> bool:
    """Whether both ends of the first path are nearer to their own image than to the other."""
    path, ends = tensors["paths"][0, 0].float(), tensors["ends"][0, 0].float()
    near = (path[[0, -1]] - ends).square().sum((1, 2))
    crossed = (path[[-1, 0]] - ends).square().sum((1, 2))
    return bool((near < crossed).all())


def pair_names(paths: pd.DataFrame) -> list[str]:
    """Of each pair, in order: "coat to dress, 12°"."""
    each = paths.drop_duplicates("pair").sort_values("pair")
    rows = zip(each["first"], each["second"], each["angle"].astype(str), strict=True)
    return [f"{a} to {b}, {angle.replace('-', '−')}°" for a, b, angle in rows]


def worth_in_words(gain: Estimate) -> str:
    """Whether the level set is worth having, to the eye of the regressor: by the interval of the gain."""
    if gain.low > 0:
        return f"That is {gain.value:.1f} degrees less, and more than chance."
    if gain.high < 0:
        return "To this other eye the straight line keeps the angle better."
    return (
        "The two cannot be told apart: what the level set surely buys is the constancy of the prediction, "
        "not of the picture."
    )


def strays_in_words(
    predicted: Mapping[str, Estimate],
    read: Mapping[str, Estimate],
    gain: Estimate,
) -> str:
    """What the paths show, as a sentence chosen by the interval of the gain."""
    line, on_level = read["straight line"][0], read["level set"][0]
    drift = (
        f"a straight line drifts from the predicted angle by {predicted['straight line'][0]:.2g}° in the mean"
    )
    if gain[1] > 0:
        eye = f"the eye of another network agrees: {on_level:.1f}° off against {line:.1f}°"
        return f"The level set holds the angle where {drift}, and {eye}."
    if gain[2] < 0:
        eye = f"another network sees the angle stray more on it, {on_level:.1f}° against {line:.1f}°"
        return f"The level set holds the prediction while {drift}, yet {eye}."
    eye = f"to another network both look alike, {on_level:.1f}° and {line:.1f}° off"
    return f"The level set holds the prediction while {drift}; {eye}."
