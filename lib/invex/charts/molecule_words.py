"""Captions and sentences of the chapter on molecules, chosen by the results."""

from typing import Any

import pandas as pd

from invex.analysis.bootstrap import interval
from invex.charts.sentences import listed

NUMBERS = (
    "no",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
)


def scale(study: Any) -> str:
    """At which scale the model was trained, as part of a sentence."""
    config = study.first.config
    words = f"{config['epochs']} epochs, seed {config['seed']}"
    return f"reduced: {words}" if study.first.profile == "reduced" else words


def path_caption(stations: pd.DataFrame, path: pd.DataFrame, level: float, study: Any) -> str:
    """Of the path: how many molecules, how near; then what is drawn, and that it was chosen."""
    inner, unit = stations.iloc[1:-1], study.unit
    true = (inner["true"] - level).abs().dropna()
    between = f"; the true {study.quantity} of those between the ends is {true.mean():.1f} {unit} from it"
    near = f"{between} in the mean" if len(true) else ""
    news = int((~stations["known"]).sum())
    new = (
        f"; {number(news)} of them {'is' if news == 1 else 'are'} not in the data"
        if news
        else ", all in the data"
    )
    sag = (path.loc[path["method"] == "straight line", "value"] - level).abs().max()
    return (
        f"{number(len(stations)).capitalize()} molecules on the level set of {level:.0f} "
        f"{unit}{near}{new}. Above: f is constant "
        f"on the level set, and sags by {sag:.1f} {unit} on the straight line (dashed); bars are the "
        f"model's predictions for the "
        f"decoded molecules, diamonds true values. Below: each molecule in space and on paper. The best of "
        f"{int(study.first.metrics['pairs'])} random pairs of molecules near the level, as such a figure "
        f"has to be chosen "
        f"({scale(study)})."
    )


def path_alt(stations: pd.DataFrame, level: float, study: Any) -> str:
    """The molecules of the path with their predictions."""
    each = "; ".join(f"{row.smiles} {row.again:.0f}" for row in stations.itertuples())
    where = f"along a path at {level:.0f} {study.unit}"
    return f"{len(stations)} molecules {where}, predicted {study.quantity} of each: {each}."


def answer(study: Any, counted: pd.DataFrame | None) -> str:
    """What we found, in two or three sentences."""
    if counted is None:
        return "What we find cannot be said yet: no model is recorded."
    table = study.numbers()
    graphs, gap, cycle = table["here"]
    unit, own = study.unit, counted[counted["method"] == "level set"]
    first = (
        f"We find {graphs:.1f} % of graphs reconstructed, the {study.quantity} predicted to {gap:.1f} "
        f"{unit}, and a cycle that "
        f"changes the prediction by {cycle:.2f} {unit}"
    )
    true = own["true"].dropna()
    away = f"{true.mean():.0f} {unit} from the level" if len(true) else "not known in the data"
    second = (
        f"Paths like the one above can be found, but most are not like it: a typical one meets "
        f"{own['distinct'].mean():.1f} molecules, "
        f"{own['new'].mean():.1f} of them new, and the true {study.quantity} of those between the ends is, "
        f"in the mean, {away}"
    )
    return f"{first}. {second}. {verdict(counted, unit)}"


def verdict(counted: pd.DataFrame, unit: str) -> str:
    """Whether the level set keeps molecules nearer to the level than the straight line does."""
    wide = counted.pivot(index="pair", columns="method", values="away")
    gain = interval(lambda a: a.mean(-1), (wide["straight line"] - wide["level set"]).dropna().tolist())
    if gain.low > 0:
        nearer = "The level set keeps them nearer to the level than a straight line between the same ends"
        return f"{nearer}, by {gain.value:.1f} {unit}."
    if gain.high < 0:
        nearer = (
            "And a straight line between the same ends, which needs no level set, keeps them nearer to it"
        )
        return f"{nearer}, by {-gain.value:.1f} {unit}."
    return "A straight line between the same ends, which needs no level set, does as well."


def numbers_caption(summary: pd.DataFrame, study: Any) -> str:
    """Which of the source's numbers are reached."""
    if not study.source_data:
        return (
            f"Other data than the source's, {study.first.config['epochs']} epochs: nothing to compare with."
        )
    graphs, gap, cycle = summary["here"]
    met = [
        name
        for name, fine in (("graphs", graphs >= 97), ("gap", gap <= 4.5), ("cycle", cycle <= 0.4))
        if fine
    ]
    missed = [name for name in ("graphs", "gap", "cycle") if name not in met]
    said = "All three of the source's numbers are reached" if not missed else (
        f"The source's number is reached for the {listed(met)}" if met else "None of the source's numbers "
        "is reached"
    )  # fmt: skip
    short = f", missed for the {listed(missed)}" if missed and met else ""
    seeds = f"mean and 95 % interval over {study.seeds} networks" if study.seeds > 2 else "one network"
    seeds = "mean and extremes of two networks" if study.seeds == 2 else seeds
    tested = f"{int(study.first.metrics['test']):,}"
    return (
        f"{said}{short}. {seeds.capitalize()} on "
        f"{tested} molecules that were "
        f"neither trained on nor chosen by ({study.first.config['epochs']} epochs)."
    )


MEASURES = {
    "valid": "valid graphs, of 16",
    "distinct": "distinct molecules",
    "new": "of them new, between the ends",
    "off": "f at the farthest point",
    "away": "predictions for the molecules",
    "true": "true values, where known",
    "within": "predictions within the model's error (%)",
}


def ways(table: pd.DataFrame) -> pd.DataFrame:
    """The comparison of `molecule_reading.compared` with a row a measure and a column a way."""
    by_way = table.set_index("method")
    rows = []
    for name, words in MEASURES.items():
        line: dict[str, Any] = {"a path's": words}
        factor = 100 if name == "within" else 1
        for way in by_way.index:
            for end in ("", " low", " high"):
                line[f"{way}{end}"] = factor * by_way.loc[way, f"{name}{end}"]
        rows.append(line)
    return pd.DataFrame(rows)


def paths_caption(gain: Any, study: Any) -> str:
    """What differs between the ways, and what the rows are.

    Args:
        gain: how much nearer to the level the predictions are on the level set, with its interval, by pairs.
        study: what is drawn.
    """
    said = "Level set and straight line meet molecules equally near to the level"
    if gain.low > 0 or gain.high < 0:
        nearer = "level set" if gain.low > 0 else "straight line"
        said = f"Molecules met on the {nearer} are nearer to the level"
    return (
        f"{said}, though only on the level set the points themselves keep it. Means over "
        f"{int(study.first.metrics['pairs'])} pairs, with 95 % intervals. In the rows on f, predictions and "
        f"true values: mean distance from the level, in {study.unit}."
    )


def advantage_caption(
    table: pd.DataFrame, met: pd.DataFrame, walked: pd.DataFrame, level: float, study: Any
) -> str:
    """What the level set keeps and what not."""
    unit, end = study.unit, walked[walked["stride"] == walked["stride"].max()]
    ends = end.groupby("method")["away"].mean()
    true = met.dropna(subset=["away"]).groupby("method")["away"].median()
    medians = "; none of them is known"
    if {"level set", "straight line"} <= set(true.index):
        medians = (
            f"; the medians are {true['level set']:.1f} {unit} off on the level set and "
            f"{true['straight line']:.1f} on the straight line"
        )
    return (
        "The level set keeps f, not the molecules. "
        f"Left: f on paths of {int(study.first.metrics['pairs'])} pairs (mean, middle eight tenths). "
        f"Middle: true {study.quantity} of the molecules between the ends{medians}. "
        f"Right: random walks from {walked['walk'].nunique()} molecules; after {int(end['stride'].iloc[0])} "
        f"strides the predictions for the molecules are {ends['on the level set']:.0f} {unit} off "
        f"on the level "
        "set and "
        f"{ends['free']:.0f} on free walks."
    )


def remedy(met: pd.DataFrame, level: float, error: float) -> dict[str, float]:
    """Molecules on the level set whose own prediction lies within the error: their share, and how far "
    "they are."""
    own = met[(met["method"] == "level set") & met["away"].notna()]
    kept = own[(own["again"] - level).abs() <= error]
    share = 100 * len(kept) / max(len(own), 1)
    return {"kept-share": share, "kept-away": kept["away"].mean(), "all-away": own["away"].mean()}


def displaced(steps: pd.DataFrame, level: float, unit: str) -> str:
    """By how much decoding moves the prediction on the level set, and by how much on the straight line."""
    valid = steps[(steps["smiles"] != "") & (steps["step"] % 4 == 0)]
    moved = (valid["again"] - valid["value"]).abs().groupby(valid["method"]).mean()
    away = (valid["again"] - level).abs().groupby(valid["method"]).mean()
    return (
        f"On the level set the prediction for the molecule is {moved['level set']:.1f} {unit} from f at "
        f"its point, on the "
        f"straight line {moved['straight line']:.1f}; and from the level, all in all, "
        f"{away['level set']:.1f} and "
        f"{away['straight line']:.1f}"
    )


def coverage(samples: pd.DataFrame) -> str:
    """Whether moving codes to the level set is worth it, as the start of a paragraph."""
    moved, drawn = (samples.set_index("codes").loc[name] for name in ("moved to the level set", "drawn"))
    better, fewer = moved["away"] < drawn["away"], moved["valid"] < drawn["valid"]
    if better and fewer:
        cost = "and costs validity: fewer of the graphs are molecules"
        return f"That brings their molecules nearer to the level, {cost}"
    if better:
        return "That brings their molecules nearer to the level, at no cost in validity"
    return "That does not bring their molecules nearer to the level"


def sample_headings(unit: str) -> dict[str, str]:
    """Column names of the table of samples."""
    percent = {name: f"{name} (%)" for name in ("valid", "unique", "new")}
    return percent | {"away": f"prediction ({unit})", "true": f"true ({unit})"}


def samples_caption(table: pd.DataFrame, study: Any) -> str:
    """Whether moving codes to the level set brings their molecules nearer to it."""
    moved, drawn = (table.set_index("codes").loc[name] for name in ("moved to the level set", "drawn"))
    said = (
        f"Moving random codes to the level set brings their molecules nearer to it, from "
        f"{drawn['away']:.0f} to {moved['away']:.0f} "
        f"{study.unit}" if moved["away"] < drawn["away"] else "Moving random codes to the level set brings "
        "their molecules no nearer to it"
    )  # fmt: skip
    return (
        f"{said}; {moved['valid']:.0f} % of them are molecules at all. A thousand codes from the prior: "
        f"valid graphs, distinct ones "
        "among these, those that are not in the data, and mean distances from the level of predictions and "
        "of true values."
    )


def calibration_caption(table: pd.DataFrame) -> str:
    """The error of the calibrated gaps."""
    best = table.iloc[0]
    after = ", relaxed by tight binding" if best["structures"] == "relaxed" else ""
    return (
        f"A calibrated {best['method']} gap is {best['mae']:.1f} kcal/mol off in the mean, on "
        f"{int(best['n'])} "
        "molecules each of which was left out of the fit that predicts it. Left: gaps of known molecules "
        "and the "
        "fitted curve. Right: errors of the calibrated gaps. Structures: of eight from distance geometry "
        "the one "
        f"that a force field finds lowest{after}."
    )


def choices(metrics: pd.DataFrame) -> pd.DataFrame:
    """One row a choice: errors on held-out and on test molecules, graphs, cycle, and how many networks."""
    if metrics.empty:
        return metrics
    fine = metrics[metrics["failed"] == ""]
    rows = []
    for (orders, epochs, curvature), group in fine.groupby(["orders", "epochs", "curvature"], sort=False):
        shown = "in canonical order" if orders == 0 else f"{100 * orders:.0f} % in another order"
        bowl = "" if curvature else ", no bowl"
        rows.append(
            {"atoms shown": f"{shown}{bowl}", "epochs": int(epochs), **_means(group), "n": len(group)}
        )
    return pd.DataFrame(rows)


def _means(group: pd.DataFrame) -> dict[str, float]:
    return {
        "held out": group["validation_mae"].mean(),
        "test": group["mae"].mean(),
        "graphs": 100 * group["reconstruction"].mean(),
        "cycle": group["cycle_mae"].mean(),
    }


def choices_caption(table: pd.DataFrame, study: Any) -> str:
    """Which choice the page takes."""
    least = table.loc[table["held out"].idxmin()]
    many = (
        f"Least error on held-out molecules: {least['atoms shown']}, {int(least['epochs'])} epochs. "
        if len(table) > 1
        else ""
    )
    return (
        f"{many}Means over n networks: mean absolute error on held-out and on test molecules "
        f"({study.unit}), graphs reconstructed (%), error of "
        "the cycle. The page uses the choice with the least error on held-out molecules among those with "
        "most networks; test molecules chose nothing."
    )


def number(n: int) -> str:
    """A small number in words."""
    return NUMBERS[n] if n < len(NUMBERS) else str(n)
