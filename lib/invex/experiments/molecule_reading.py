"""What the graphs that a run of `molecules` left say: named, looked up, and counted."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd

from invex.analysis.bootstrap import interval
from invex.data.molecules import decode_all
from invex.experiments.molecule_paths import METHODS, SAMPLES, STEPS, WALKS

EVERY = 4
"""One in so many points of a path is counted: sixteen of `STEPS`, as the source's."""


class Run(Protocol):
    """A recorded run."""

    config: dict[str, Any]
    metrics: dict[str, Any]

    def tensors(self) -> dict[str, Any]:
        """What lies beside the record."""


def paths(run: Run, known: Mapping[str, float]) -> pd.DataFrame:
    """Every point of every path of a run.

    Columns: method, pair, step, share of the way, smiles ("" where the graph is no molecule), value (the
    property at the point), again (the model's of the graph decoded there), true (NaN where it is not known),
    known (whether the molecule is in the table).
    """
    frame = _long(run, "paths", ("method", "pair", "step"), known)
    frame["method"] = np.array(METHODS)[frame["method"]]
    return frame.assign(share=frame["step"] / (STEPS - 1))


def walks(run: Run, known: Mapping[str, float]) -> pd.DataFrame:
    """Every point of every walk; columns as of `paths`, with walk and stride."""
    frame = _long(run, "walks", ("method", "walk", "stride"), known)
    frame["method"] = np.array(WALKS)[frame["method"]]
    return frame


def samples(run: Run, known: Mapping[str, float]) -> pd.DataFrame:
    """Every sample; columns as of `paths`."""
    frame = _long(run, "samples", ("method", "sample"), known)
    frame["method"] = np.array(SAMPLES)[frame["method"]]
    return frame


def _long(run: Run, name: str, index: Sequence[str], known: Mapping[str, float]) -> pd.DataFrame:
    tensors = run.tensors()
    codes, value, again = (tensors[f"{name}/{part}"].numpy() for part in ("codes", "value", "again"))
    places = np.indices(value.shape).reshape(value.ndim, -1)
    frame = pd.DataFrame(dict(zip(index, places, strict=True)))
    names = decode_all(codes.reshape(-1, codes.shape[-1]))
    frame = frame.assign(smiles=names, value=value.ravel(), again=again.ravel())
    frame["known"] = [text in known for text in names]
    return frame.assign(true=[known.get(text, np.nan) for text in names])


def counted(frame: pd.DataFrame, level: float, error: float) -> pd.DataFrame:
    """One row a path and method, over its sixteen points: what the source's Fig. 6 shows of one path.

    Args:
        frame: of `paths`.
        level: of the set.
        error: of the model, its mean absolute one on test molecules.

    Returns:
        Columns valid, distinct (molecules), known, new (of the distinct ones, without the ends), off (largest
        distance of the value at a point from the level), away (mean distance of the predictions for the
        molecules), within (share of the valid points whose prediction lies within the error of the level),
        true (mean distance of the true property, of known molecules without the ends; else NaN).
    """
    sixteen = frame[frame["step"] % EVERY == 0]
    rows = [
        {"method": method, "pair": pair, **_path(path, level, error)}
        for (method, pair), path in sixteen.groupby(["method", "pair"], sort=False)
    ]
    return pd.DataFrame(rows)


def _path(path: pd.DataFrame, level: float, error: float) -> dict[str, float]:
    path = path.sort_values("step")
    valid = path[path["smiles"] != ""]
    ends = {path["smiles"].iloc[0], path["smiles"].iloc[-1]}
    between = valid[~valid["smiles"].isin(ends)].drop_duplicates("smiles")
    away = (valid["again"] - level).abs()
    return {
        "valid": float(len(valid)),
        "distinct": float(valid["smiles"].nunique()),
        "known": float(between["known"].sum()),
        "new": float((~between["known"]).sum()),
        "off": float((path["value"] - level).abs().max()),
        "away": float(away.mean()),
        "within": float((away <= error).mean()),
        "true": float((between["true"] - level).abs().mean()),
    }


def between(frame: pd.DataFrame) -> pd.DataFrame:
    """Distinct molecules strictly between the ends of each path, one row a path, method and molecule."""
    valid = frame[(frame["smiles"] != "") & (frame["step"] % EVERY == 0)]
    ends = frame[frame["step"].isin([0, STEPS - 1])]
    at_end = set(zip(ends["method"], ends["pair"], ends["smiles"], strict=True))
    keys = zip(valid["method"], valid["pair"], valid["smiles"], strict=True)
    return valid[[key not in at_end for key in keys]].drop_duplicates(["method", "pair", "smiles"])


def compared(rows: pd.DataFrame, columns: Sequence[str], by: str = "method") -> pd.DataFrame:
    """Means of columns by method with their 95 % intervals over paths, as `x`, `x low`, `x high`."""
    table = []
    for method, group in rows.groupby(by, sort=False):
        line: dict[str, Any] = {by: method}
        for column in columns:
            values = group[column].dropna().tolist()
            found = interval(lambda a: a.mean(-1), values) if values else (np.nan,) * 3
            line |= dict(zip((column, f"{column} low", f"{column} high"), found, strict=True))
        table.append(line)
    return pd.DataFrame(table)


def difference(rows: pd.DataFrame, column: str, first: str, second: str, key: str = "pair") -> Any:
    """Mean of `second` less `first`, path by path, with its interval (`analysis.bootstrap.interval`)."""
    wide = rows.pivot(index=key, columns="method", values=column)
    return interval(lambda a: a.mean(-1), (wide[second] - wide[first]).dropna().tolist())


def shown(frame: pd.DataFrame, level: float, error: float) -> int:
    """The pair to draw, as the source's figure is chosen: the best of all.

    Of the paths on the level set whose molecules are all predicted within twice the error of the level (of
    all paths, where there is none), the one with most distinct molecules; of several, with most of them
    known, then the first.
    """
    own = frame[(frame["method"] == METHODS[0]) & (frame["smiles"] != "")].drop_duplicates(["pair", "smiles"])
    own = own.assign(away=(own["again"] - level).abs())
    score = own.groupby("pair").agg(distinct=("smiles", "size"), known=("known", "sum"), away=("away", "max"))
    near = score[score["away"] <= 2 * error]
    ranked = (near if len(near) else score).sort_values(["distinct", "known"], ascending=False, kind="stable")
    return int(ranked.index[0])


def stations(path: pd.DataFrame) -> pd.DataFrame:
    """The molecules of one path in the order in which they appear, one row each: where from, where to."""
    path = path[path["smiles"] != ""].sort_values("step")
    grouped = path.groupby("smiles", sort=False)
    columns = {name: (name, "first") for name in ("again", "true", "known")}
    return grouped.agg(first=("share", "min"), last=("share", "max"), **columns).reset_index()


def along(walked: pd.DataFrame, level: float) -> pd.DataFrame:
    """Walks with the distance of the prediction from the level, and distinct molecules so far (met)."""
    walked = walked.sort_values(["method", "walk", "stride"])
    valid = walked["smiles"] != ""
    new = valid & ~walked.duplicated(["method", "walk", "smiles"])
    keys = [walked["method"], walked["walk"]]
    return walked.assign(
        away=(walked["again"] - level).abs().where(valid), off=(walked["value"] - level).abs(),
        met=new.astype(int).groupby(keys).cumsum(), valid=valid,
    )  # fmt: skip


def drawn_samples(frame: pd.DataFrame, level: float) -> pd.DataFrame:
    """Of samples, by method: percent valid, of those unique, of those new; mean distances from the level."""
    rows = []
    for method, group in frame.groupby("method", sort=False):
        valid = group[group["smiles"] != ""]
        unique = valid.drop_duplicates("smiles")
        true = unique.loc[unique["true"].notna(), "true"]
        rows.append({
            "codes": method, "valid": 100 * len(valid) / len(group),
            "unique": 100 * len(unique) / max(len(valid), 1), "new": 100 * (1 - unique["known"].mean()),
            "away": (valid["again"] - level).abs().mean(), "true": (true - level).abs().mean(),
        })  # fmt: skip
    return pd.DataFrame(rows)


def best(metrics: pd.DataFrame) -> dict[str, Any]:
    """The choice with the least error on the validation molecules, among those with most seeds."""
    fine = metrics[(metrics["failed"] == "") & (metrics["curvature"] > 0)]
    groups = (
        fine.groupby(["orders", "epochs"], sort=False)["validation_mae"].agg(["mean", "size"]).reset_index()
    )
    row = groups[groups["size"] == groups["size"].max()].sort_values("mean", kind="stable").iloc[0]
    return {"orders": float(row["orders"]), "epochs": int(row["epochs"])}


def profiles(frame: pd.DataFrame, level: float) -> pd.DataFrame:
    """By method and share of the way: mean distance of the property from the level, and two tails."""
    off = frame.assign(off=frame["value"] - level)
    grouped = off.groupby(["method", "share"], sort=False)["off"]
    found = grouped.agg(off="mean", low=lambda v: v.quantile(0.1), high=lambda v: v.quantile(0.9))
    return found.reset_index()


def gain(rows: pd.DataFrame, column: str, first: str, second: str) -> Any:
    """Mean of `second` less that of `first`, two samples that are not paired, with its interval."""
    values = [rows.loc[rows["method"] == method, column].tolist() for method in (second, first)]
    return interval(lambda a, b: a.mean(-1) - b.mean(-1), *values)
