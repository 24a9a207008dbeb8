"""What the measurements of signal propagation show, in sentences that the data choose."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

SILENT, ERRORS = (
    0.1,
    4.0,
)  # a variance of which a tenth is left; standard errors beyond which we call it a difference


def typical(counts: Sequence[float], low: float, high: float) -> tuple[float, float]:
    """Mean and variance of what a histogram over asinh(value) holds without its outermost per cent.

    Args:
        counts: of bins equal in asinh from `low` to `high`.
    """
    heights = np.asarray(counts, dtype=float)
    ends = np.minimum(np.cumsum(heights), 0.995 * heights.sum())
    kept = np.clip(np.diff(np.maximum(ends, 0.005 * heights.sum()), prepend=0.005 * heights.sum()), 0, None)
    edges = np.linspace(low, high, len(heights) + 1)
    at = np.sinh((edges[1:] + edges[:-1]) / 2)
    mean = float(kept @ at / kept.sum())
    return mean, float(kept @ (at - mean) ** 2 / kept.sum())


def panels_in_words(last: pd.DataFrame) -> str:
    """What the last layers of an ordinary, a clamped and a principled network look like.

    Args:
        last: of `ICNN` and `ICNN + init`, the index: mean, standard deviation and correlation.
    """
    clamped, principled = last.loc["ICNN"], last.loc["ICNN + init"]
    first = (
        "Setting negative weights to zero makes all features one feature"
        if clamped["correlation"] > 0.9
        else "Setting negative weights to zero ties the features together"
        if clamped["correlation"] > principled["correlation"]
        else "Setting negative weights to zero does not tie the features together"
    )
    apart = (
        "principled weights keep them apart"
        if principled["correlation"] < 0.9
        else "principled weights do not keep them apart"
    )
    shrinks = principled["standard deviation"] < 1 - SILENT
    end = (
        ", but the signal shrinks"
        if shrinks
        else ", but the signal grows"
        if principled["standard deviation"] > 1 + SILENT
        else ", and the signal keeps its size"
    )
    return f"{first}; {apart}{end}"


def explorer_in_words(run: Mapping[str, Any], asked: float, low: float, high: float) -> str:
    """What becomes of the correlation that was asked for, of the bulk of a last layer, and of its variance.

    Args:
        run: of the explorer, with `histograms`, `measured` and `recursion` by layer.
        asked: correlation of the initialisation.
        low, high: ends of the histograms in asinh.
    """
    variance = typical(run["histograms"][-1], low, high)[1]
    second = run["measured"][1][2]
    kept = abs(second - asked) < SILENT
    first = (
        f"The correlation of {asked:g} that is asked for is there after one principled layer"
        if kept
        else f"A correlation of {asked:g} is asked for and one of {second:.2f} comes after one principled "
        "layer"
    )
    end = (
        "the signal falls silent in all but rare cases"
        if variance < SILENT
        else "the signal runs away"
        if variance > 10
        else f"the bulk of the signal has a variance of {variance:.2f}"
    )
    return f"{first}; by layer {len(run['histograms'])}, {end}"


def shown(value: float) -> str:
    """A moment as the explorer prints it: two decimals, none from a hundred on."""
    return f"{value:.{0 if abs(value) >= 100 else 2}f}".replace("-", "\N{MINUS SIGN}").replace(
        "\N{MINUS SIGN}0.00", "0.00"
    )


def explained(run: Mapping[str, Any], layer: int, low: float, high: float) -> dict[str, str]:
    """Measured variance of a layer, that of the recursion and that of the bulk, and why the first two differ.

    Args:
        run, low, high: as `explorer_in_words` takes them.
        layer: from 0.
    """
    measured, recursion = run["measured"][layer][1], run["recursion"][layer][1]
    bulk = typical(run["histograms"][layer], low, high)[1]
    if 0.5 < measured / max(recursion, 1e-12) < 2:
        words = "The two agree to within a factor of two."
    elif bulk < measured / 3:
        words = (
            "So nearly all of it rests on few pre-activations: log-normal weights have rare, very large "
            "values, and "
            "what such a weight carries is passed on to every later layer. The recursion knows Gaussians "
            "only and does not see it."
        )
    else:
        words = "So it does not rest on few pre-activations; the recursion takes for Gaussian what is not."
    return {
        "measured": shown(measured),
        "recursion": shown(recursion),
        "typical": shown(bulk),
        "words": words,
    }


def gaussian_in_words(distances: pd.DataFrame) -> str:
    """How much nearer random biases bring the last layer to a Gaussian.

    Args:
        distances: Kolmogorov distances, a row a layer, a column for each share of noise in the biases.
    """
    without, noisy = distances[0.0].iloc[-1], distances[0.5].iloc[-1]
    if not noisy < without:
        return "Random biases do not bring pre-activations nearer to a Gaussian"
    strength = "far nearer" if noisy < without / 2 else "nearer"
    return (
        f"Random biases bring pre-activations {strength} to a Gaussian: from a distance of {without:.2f} "
        f"to {noisy:.2f} in the last layer"
    )


def one_layer_in_words(z: float) -> str:
    """Whether one layer from the fixed point stays there, by the largest deviation in standard errors."""
    return (
        "One layer keeps mean, variance and correlation as the formulas say, at every width, slope and "
        "correlation"
        if z <= ERRORS
        else f"One layer does not keep the fixed point: a moment is {z:.1f} standard errors away"
    )


def second_layer_in_words(row: Mapping[str, float], asked: float = 1.0) -> str:
    """Whether the variance is still `asked` after two layers from the fixed point; row: measured, error."""
    found, error = row["measured"], row["error"]
    if abs(found - asked) <= 1.96 * error:
        return f"of two it cannot be told (variance {found:.2f} ± {1.96 * error:.2f})"
    return f"two do not: there the variance is {found:.2f} ± {1.96 * error:.2f} instead of {asked:g}"


def depth_in_words(gaussian: float, lecun: float) -> str:
    """Which way the variance goes from the two starts, once from 1."""

    def way(variance: float) -> str:
        return "falls silent" if variance < SILENT else "explodes" if variance > 10 else "stays"

    here, there = way(gaussian), way(lecun)
    if here == there:
        return f"From either start the variance over networks {here}"
    return (
        f"Started with the correlation that the theory assumes, the variance over networks {here}; from "
        "LeCun's layer, as "
        f"everyone starts, it {there}"
    )


def fates_in_words(silent: float, loud: float, layers: int, width: int) -> str:
    """How many networks have lost their signal before any training, and how many have blown it up."""
    words = (
        f"Of principled networks of width {width}, {100 * silent:.0f} % are dead and {100 * loud:.0f} % have "
        f"exploded after {layers} layers, before any training and though they start at the fixed point"
    )
    return words if silent + loud > 0.5 else f"{words}; most are neither"


def stability_in_words(correlation: Mapping[str, float], moments: Mapping[str, float]) -> str:
    """What makes the fixed point unstable, by the intervals of two measured factors of growth."""
    damped, grows = correlation["high"] < 1, moments["low"] > 1
    if damped and grows:
        return (
            "Unstable, but for another reason than the paper gives: the correlation is pulled back, and "
            "mean and variance run away together"
        )
    if grows and correlation["low"] > 1:
        return (
            "Unstable, as the paper says: a deviation of the correlation grows, and so do mean and variance"
        )
    if grows:
        return "Unstable, since mean and variance run away together; of the correlation it is open"
    if correlation["low"] > 1:
        return "Unstable for the reason that the paper gives: a deviation of the correlation grows"
    return "No deviation was seen to grow beyond doubt"


def convolution_in_words(worst: float, rough: Mapping[str, float]) -> str:
    """Whether covariances follow the theory, and what is left on white inputs."""
    theory = "follow" if worst <= ERRORS else "do not follow"
    kept = abs(rough["variance"] - 1) < SILENT and abs(rough["correlation"] - 0.5) < SILENT
    end = (
        "the weights made for dense layers keep variance and correlation even on white inputs"
        if kept
        else "with weights made for dense layers one layer on white inputs leaves variance "
        f"{rough['variance']:.2f} and "
        f"correlation {rough['correlation']:.2f}"
    )
    return f"Covariances over channels and positions {theory} the theory; {end}"


def choices_in_words(choices: pd.DataFrame) -> str:
    """Which of the choices that are not published keeps the mean best, and which the variance."""
    others = choices[~choices["choice"].str.startswith("as published")].set_index("choice")
    mean = others["mean"].abs().idxmin()
    variance = np.log(others["variance"]).abs().idxmin()
    name = {choice: choice.removeprefix("two-point, ") for choice in others.index}
    if mean == variance:
        return f"Of the choices tried, this keeps mean and variance best: {name[mean]}"
    return (
        f"Of the choices tried, the mean is kept best by: {name[mean]} ({others['mean'][mean]:.2f}); "
        f"the variance by: {name[variance]} ({others['variance'][variance]:.2f})"
    )


def slopes_in_words(rows: pd.DataFrame) -> str:
    """Which uses of the slope keep the fixed point (0, 1, 1/2), within `ERRORS` standard errors."""
    targets = {"mean": 0.0, "variance": 1.0, "correlation": 0.5}
    keeps = [
        row["slope enters"]
        for _, row in rows.iterrows()
        if all(
            abs(row[name] - target) <= ERRORS * (row[f"{name} high"] - row[name]) / 1.96
            for name, target in targets.items()
        )
    ]
    if keeps == ["in every formula"]:
        return "One layer keeps the fixed point (0, 1, ½) only if the slope enters every formula"
    return (
        "One layer keeps the fixed point (0, 1, ½) with the slope "
        f"{' or '.join(keeps) or 'in none of these ways'}"
    )
