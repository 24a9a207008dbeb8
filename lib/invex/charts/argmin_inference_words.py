"""What the chapter on inference by argmin says of its records: tables, and sentences chosen by the data."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from invex.analysis.bootstrap import Estimate, interval
from invex.charts.argmin_inference import means

PAPER_F1 = {"feed-forward": 0.396, "PICNN, bundle entropy": 0.415}
PAPER_MSE = {"paper: 833 (bundle), 872, 851": 852.0}
MEASURES = {"f1": "over labels", "f1_examples": "over examples"}
NOTHING = "Nothing is recorded yet"


def of_runs(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of runs that did not fail."""
    return frame[frame["failed"] == ""] if "failed" in frame else frame


def ratio(frame: pd.DataFrame, above: str, below: str, value: str) -> tuple[Estimate, int] | None:
    """Ratio of the means of two methods over seeds with 95 % interval, and the smaller number of seeds."""
    if frame.empty:
        return None
    one, other = (frame[frame["method"] == name][value].to_numpy() for name in (above, below))
    if not (len(one) and len(other)):
        return None
    found = interval(lambda a, b: np.mean(a, axis=-1) / np.mean(b, axis=-1), one, other)
    return found, min(len(one), len(other))


def measured(rows: pd.DataFrame) -> pd.DataFrame:
    """Both F1 of each method, mean over seeds with interval: columns method, measure, value, low, high, n."""
    if rows.empty:
        return pd.DataFrame(columns=["method", "measure", "value", "low", "high", "n"])
    parts = [means(rows, ["method"], name).assign(measure=text) for name, text in MEASURES.items()]
    return pd.concat(parts, ignore_index=True)


def score_table(rows: pd.DataFrame) -> pd.DataFrame:
    """The table of F1: a row a method, columns of means with intervals as text, the leak, and the paper's."""
    lines = []
    for method, group in rows.groupby("method", sort=False) if len(rows) else ():
        line: dict[str, Any] = {"method": method}
        for name, text in MEASURES.items():
            line[f"F1 {text}"] = _text(interval(_mean, group[name].to_numpy()), len(group))
        known = group["leak_f1_examples"].dropna() if "leak_f1_examples" in group else []
        line["labels in reach"] = _text(interval(_mean, known), len(known)) if len(known) else ""
        line["paper"] = f"{PAPER_F1[str(method)]:.3f}" if method in PAPER_F1 else ""
        lines.append(line | {"seeds": len(group)})
    return pd.DataFrame(lines)


def _mean(sample: np.ndarray) -> np.ndarray:
    return np.mean(sample, axis=-1)


def _text(found: Estimate, n: int) -> str:
    return f"{found.value:.3f}" + (f" [{found.low:.3f}, {found.high:.3f}]" if n > 1 else "")


def structured_in_words(rows: pd.DataFrame) -> str:
    """The finding of the table, by macro-F1 over labels."""
    by = means(rows, ["method"], "f1").set_index("method").sort_values("value", ascending=False)
    if len(by) < 2:
        return f"{NOTHING} to compare." if by.empty else f"{by.index[0]} alone is recorded so far."
    base = "feed-forward"
    if base not in by.index:
        return f"Best over labels is {by.index[0]} ({by.value.iloc[0]:.3f}); the baseline is not recorded."
    others = by.drop(base)
    best = others.iloc[0]
    apart = best.low > by.high[base] or best.high < by.low[base]
    verb = ("beats" if best.value > by.value[base] else "falls behind") if apart else "is level with"
    return (
        f"Predicting by argmin {verb} the feed-forward network of the same width over labels: "
        f"{best.value:.3f} ({others.index[0]}) against {by.value[base]:.3f}."
    )


def measures_in_words(rows: pd.DataFrame) -> str:
    """How far the two averages lie apart, and whether they rank the methods alike."""
    if rows.empty:
        return f"{NOTHING}."
    both = rows.groupby("method")[list(MEASURES)].mean()
    gap = (both.f1_examples - both.f1).mean()
    same = list(both.f1.sort_values().index) == list(both.f1_examples.sort_values().index)
    ranked = "rank the methods alike" if same else "do not even rank the methods alike"
    side = "more" if gap > 0 else "less"
    return f"The average over examples is {abs(gap):.2f} {side} than that over labels, and the two {ranked}."


def leak_in_words(rows: pd.DataFrame) -> str:
    """What the true labels in reach were worth, on the same networks at the same epoch."""
    if "leak_f1_examples" not in rows or rows["leak_f1_examples"].dropna().empty:
        return "What the true labels in reach were worth will stand here once the bundle's runs are recorded."
    some = rows.dropna(subset=["leak_f1_examples"])
    gain = interval(_mean, (some["leak_f1_examples"] - some["f1_examples_last"]).to_numpy())
    if len(some) == 1:
        worth = f"changes the released figure by {gain.value:+.3f}, on one network"
    elif gain.low > 0:
        worth = f"adds {gain.value:.3f} [{gain.low:.3f}, {gain.high:.3f}] to the released figure"
    elif gain.high < 0:
        worth = f"takes {-gain.value:.3f} [{-gain.high:.3f}, {-gain.low:.3f}] from the released figure"
    else:
        worth = f"changes the released figure by {gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]"
    why = (
        "so it would be if the trained energies were nearly affine in the labels, with the same slope at the "
        "truth as anywhere else"
        if abs(gain.value) < 0.02
        else "the slope of the energy at the truth gives the truth away"
    )
    return f"Taking the tangents at the true labels, as the released test does, {worth}: {why}."


def completion_in_words(errors: pd.DataFrame) -> str:
    """The finding on the completed faces."""
    if errors.empty:
        return f"{NOTHING}."
    by = errors.groupby("method")["mse"].mean().sort_values()
    listed = ", ".join(f"{value:.0f} ({name})" for name, value in by.items())
    if "non-convex, gradient" not in by.index or len(by) < 2:
        return f"MSE × 255² on the test faces: {listed}."
    convex = by.drop("non-convex, gradient")
    cost = convex.iloc[0] / by["non-convex, gradient"] - 1
    head = (
        f"Convexity in the missing half costs {cost:.0%} of error"
        if cost > 0.02
        else "Convexity in the missing half costs nothing"
        if cost > -0.02
        else f"The convex networks complete faces with {-cost:.0%} less error"
    )
    return f"{head}: MSE × 255² of {listed}; the mean face has {errors.mse_mean.mean():.0f}."


def overfit_in_words(errors: pd.DataFrame) -> str:
    """Whether the error rises again after its best epoch."""
    if errors.empty:
        return f"{NOTHING}."
    rise = (errors.mse_last / errors.mse).groupby(errors.method).mean().sort_values()
    name, most = rise.index[-1], rise.iloc[-1]
    if most < 1.03:
        return "The error on test faces falls to the end of training."
    return (
        f"315 faces are soon learnt by heart: at the end the test error of {name} is {most - 1:.0%} above "
        "that of the epoch that validation chooses."
    )


def pictures(runs: Sequence[Any]) -> dict[str, np.ndarray]:
    """The true faces and each method's completion, of the first recorded seed of each: name -> bytes."""
    found: dict[str, np.ndarray] = {}
    for run in sorted((run for run in runs if not run.failed), key=lambda run: run.config["seed"]):
        tensors = run.tensors()
        if tensors and run.config["method"] not in found and _same_faces(found, tensors):
            found |= {"true": tensors["true"].numpy(), run.config["method"]: tensors["completed"].numpy()}
    return found


def _same_faces(found: dict[str, np.ndarray], tensors: dict[str, Any]) -> bool:
    return "true" not in found or bool((found["true"] == tensors["true"].numpy()).all())


def control_in_words(ends: pd.DataFrame) -> str:
    """The finding on each task: final returns of the methods."""
    if ends.empty:
        return f"{NOTHING}."
    parts = []
    for task, group in ends.groupby("task", sort=False):
        by = means(group, ["method"], "final").sort_values("value", ascending=False)
        listed = ", ".join(f"{row.value:.0f} ({row.method})" for row in by.itertuples())
        parts.append(f"{str(task).removesuffix('-v5')}: {listed}")
    return f"Final return, mean of the last three evaluations. {'; '.join(parts)}."


def found(texts: pd.DataFrame, errors: pd.DataFrame, ends: pd.DataFrame) -> str:
    """What we found, in one paragraph, as far as it is recorded."""
    parts = [
        structured_in_words(of_runs(texts)) if len(of_runs(texts)) else "",
        completion_in_words(of_runs(errors)) if len(of_runs(errors)) else "",
        control_in_words(of_runs(ends)) if len(of_runs(ends)) else "",
    ]
    return (
        " ".join(part for part in parts if part)
        or f"{NOTHING}; the two-dimensional examples are computed here."
    )
