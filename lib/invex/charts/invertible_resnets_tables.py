"""What the chapter on invertible residual networks counts: errors, iterations, norms, and whose they are."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from invex.analysis import bootstrap

NAMES = {"mnist": "MNIST", "cifar10": "CIFAR10", "cifar100": "CIFAR100", "digits": "digits"}
COLUMNS = ("vanilla", "c = 0.9", "c = 0.8", "c = 0.7", "c = 0.6", "c = 0.5")
THESIS = {
    "mnist": dict(zip(COLUMNS, (0.38, 0.40, 0.42, 0.40, 0.42, 0.86), strict=True)),
    "cifar10": dict(zip(COLUMNS, (6.69, 6.78, 6.86, 6.93, 7.72, 8.71), strict=True)),
    "cifar100": dict(zip(COLUMNS, (23.97, 24.58, 24.99, 25.99, 27.30, 29.45), strict=True)),
}
"""Table 4.1 of the thesis: test error in per cent."""
VISIBLE = 0.5
"""Grey levels: below it an 8-bit image comes back as it was."""


def label(row: Mapping[str, Any]) -> str:
    """What a run is called in the figures, from the fields of its configuration."""
    if row["method"] == "contractive":
        return f"c = {row['c']:g}"
    if row["method"] == "batchnorm":
        return "batch norm"
    return "vanilla, decayed" if row["optimiser"] == "sgd" and row["weight_decay"] > 1e-3 else "vanilla"


def named(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with a column ``network``, see `label`."""
    return frame.assign(network=[label(row) for row in frame.to_dict("records")])


def error_table(metrics: pd.DataFrame) -> pd.DataFrame:
    """Table 4.1: test error in per cent, a row a data set and network, with the thesis's rows between them.

    Args:
        metrics: columns network, dataset, blocks, epochs, seed, test_error.
    """
    rows = []
    for dataset in [name for name in NAMES if name in set(metrics["dataset"])]:
        if dataset in THESIS:
            rows.append({"data": NAMES[dataset], "network": "thesis", "seeds": "", **THESIS[dataset]})
        own = metrics[metrics["dataset"] == dataset]
        for (blocks, epochs), some in own.groupby([own["blocks"].map(str), "epochs"], sort=False):
            means = 100 * some.groupby("network")["test_error"].mean()
            words = f"here: {'-'.join(blocks.strip('()[]').split(', '))} blocks, {epochs} epochs"
            found = {name: means.get(name, np.nan) for name in COLUMNS}
            rows.append(
                {"data": NAMES[dataset], "network": words, "seeds": str(some["seed"].nunique()), **found}
            )
    return pd.DataFrame(rows).dropna(axis="columns", how="all")


def enough(curves: pd.DataFrame, level: float = VISIBLE) -> pd.Series:
    """Plain iterations a block until the mean error is below `level`, by network: mean over seeds."""
    plain = curves[curves["solver"] == "fixed-point"]
    below = plain[plain["mean"] < level]
    return below.groupby(["network", "seed"])["iterations"].min().groupby("network").mean()


def iteration_data(curves: pd.DataFrame) -> dict[str, Any]:
    """What the interactive gets: error by iterations for each network and solver, means over seeds."""
    lines = []
    for name, rows in curves.groupby("network", sort=False):
        for solver, some in rows.groupby("solver"):
            mean = np.exp(np.log(some["mean"]).groupby(some["iterations"]).mean())
            lines.append({"network": name, "solver": solver, "iterations": [int(k) for k in mean.index],
                          "error": [float(f"{v:.4g}") for v in mean]})  # fmt: skip
    return {"lines": lines, "visible": VISIBLE}


def collect(records: Callable[..., Any], quick: bool) -> dict[tuple[str, int], Any]:
    """The runs by data set and channels of padding; with 13 the network is the thesis's."""
    own = {"digits": 1} if quick else {"cifar10": 0, "cifar100": 0, "mnist": 1}
    sets = [(name, padding) for name, small in own.items() for padding in dict.fromkeys((13, small))]
    return {(d, p): records("iresnet_classifier", dataset=d, padding=p) for d, p in sets}


def fullest(runs: Mapping[tuple[str, int], Any], dataset: str) -> Any:
    """The runs on a data set of the network size with the most kinds of networks; of two, the thesis's."""
    own = {padding: found for (name, padding), found in runs.items() if name == dataset}
    return max(
        own.values(), key=lambda found: len({label(run.config) for run in found.runs if not run.failed})
    )


def joined(runs: Sequence[Any]) -> Any:
    """Several records as one, for a table of all of them; those without a run are left out."""
    there = [found for found in runs if not found.empty] or list(runs)[:1]
    return replace(
        there[0],
        runs=[run for found in there for run in found.runs],
        expected=[entry for found in there for entry in found.expected],
        stale=sorted({name for found in there for name in found.stale}),
        reduced="; ".join(dict.fromkeys(found.reduced for found in there if found.reduced)),
    )


def costs(metrics: pd.DataFrame, above: str, below: str) -> list[float]:
    """Error of one network less that of another, in points of per cent, seed by seed."""
    wide = metrics.pivot_table(index="seed", columns="network", values="test_error")
    return [] if not {above, below} <= set(wide) else (100 * (wide[above] - wide[below])).dropna().tolist()


def ends(values: Sequence[float]) -> dict[str, Any]:
    """Mean, the ends of its bootstrap interval, and n, as `Chapter.result` takes them."""
    found = bootstrap.interval(lambda sample: sample.mean(-1), values)
    return {"value": found.value, "low": found.low, "high": found.high, "n": len(values)}


def above_one(layers: pd.DataFrame) -> dict[str, list[float]]:
    """Share of convolutions with a norm above one in each network, a number a seed."""
    share = (layers["norm"] > 1).groupby([layers["network"], layers["seed"]]).mean()
    return {str(name): part.tolist() for name, part in share.groupby(level=0, sort=False)}


def inversions(runs: Any) -> pd.DataFrame:
    """Of each network the worst over seeds: norms of layers and of Jacobians, error of the reconstruction."""
    blocks, metrics = _table(runs, "blocks"), runs.metrics()
    if blocks.empty:
        return pd.DataFrame()
    local = blocks.groupby("network", sort=False)[["local_norm", "radius"]].max()
    own = named(metrics[metrics["failed"] == ""]).groupby("network", sort=False)
    columns = {
        "largest norm": own["largest_norm"].max(),
        "largest local norm": local["local_norm"],
        "largest radius": local["radius"],
        "error after 100": own["reconstruction_error"].max(),
        "test error (%)": 100 * own["test_error"].mean(),
        "networks": own.size(),
    }
    return pd.DataFrame(columns).dropna().reset_index(names="network")


def errors_of(runs: Any, network: str) -> list[float]:
    """Largest error of an image after 100 plain iterations a block, in grey levels, for each seed."""
    found = curves(runs)
    if found.empty:
        return []
    last = found[(found["solver"] == "fixed-point") & (found["iterations"] == found["iterations"].max())]
    return [float(value) for value in last[last["network"] == network]["largest"]]


def curves(runs: Any) -> pd.DataFrame:
    """Error by iterations and solver of the normalised networks and the others; empty if there are none."""
    return _table(runs, "reconstruction")


def layers(runs: Any) -> pd.DataFrame:
    """The exact norm of every convolution; empty if there are none."""
    return _table(runs, "layers")


def lemma(runs: Any) -> pd.DataFrame:
    """Error and bound of each block by iterations; empty if there are none."""
    return _table(runs, "lemma")


def _table(runs: Any, name: str) -> pd.DataFrame:
    """One table of all runs with the fields of their configurations beside it.

    A column of the table goes before a field of its name ("iterations", which the power iteration has too).
    """
    parts = []
    for run in runs.runs:
        if name in run.tables and not run.failed:
            table = pd.DataFrame(run.tables[name])
            fields = {key: value for key, value in run.config.items() if key not in table}
            parts.append(
                table.assign(**{key: str(v) if isinstance(v, list) else v for key, v in fields.items()})
            )
    return named(pd.concat(parts, ignore_index=True)) if parts else pd.DataFrame()


def largest_ratio(runs: Any) -> float:
    """The largest share of Lemma 4.5's bound that an error reaches."""
    return float(pd.to_numeric(_table(runs, "blocks")["ratio"]).max())


def fastest_first(curves: pd.DataFrame) -> list[str]:
    """The four networks of Fig. 4.4 by their mean error after three iterations, smallest first."""
    names = [f"c = {c}" for c in (0.3, 0.5, 0.7, 0.9)]
    third = curves[(curves["solver"] == "fixed-point") & (curves["iterations"] == 3)]
    return [str(name) for name in third.groupby("network")["mean"].mean()[names].sort_values().index]


def rate(curves: pd.DataFrame) -> pd.Series:
    """Iterations a tenfold smaller error takes, by network and seed: from the slope between 1e2 and 1e-3."""
    plain = curves[(curves["solver"] == "fixed-point") & curves["mean"].between(1e-3, 1e2)]
    slopes = {
        key: np.polyfit(part["iterations"], np.log10(part["mean"]), 1)[0]
        for key, part in plain.groupby(["network", "seed"])
        if len(part) > 1
    }
    return -1 / pd.Series(slopes, dtype=float)


def saved(curves: pd.DataFrame) -> dict[str, Any]:
    """Iterations for a given gain at c over those at c - .2: mean over .9, .7 and .5, with its interval."""
    rates = rate(curves)
    ratios = [
        rates[f"c = {above}", seed] / rates[f"c = {below}", seed]
        for seed in sorted({seed for _, seed in rates.index})
        for above, below in ((0.9, 0.7), (0.7, 0.5), (0.5, 0.3))
        if {(f"c = {above}", seed), (f"c = {below}", seed)} <= set(rates.index)
    ]
    return ends(ratios) if len(ratios) > 1 else {"value": float(np.mean(ratios)), "n": len(ratios)}


def picture_rows(sets: Sequence[Any]) -> list[tuple[str, Any]]:
    """Rows of Fig. 4.3: of each set of runs the originals and what its first seed's networks give back."""
    rows: list[tuple[str, Any]] = []
    for runs in {id(found): found for found in sets}.values():
        by_name = {label(run.config): run for run in reversed(runs.runs) if not run.failed}
        there = [
            (name, by_name[name]) for name in ("c = 0.9", "vanilla, decayed", "vanilla") if name in by_name
        ]
        for place, (name, run) in enumerate(there):
            tensors = run.tensors()
            if not place:
                rows.append((f"{NAMES[run.config['dataset']]},\noriginal", tensors["originals"]))
            rows.append((name.replace(", ", ",\n"), tensors["reconstructions"]))
    return rows


def error_frame(*sets: Any) -> pd.DataFrame:
    """Error after 100 iterations a block of each network: mean and largest over images, in grey levels."""
    found = [part for part in map(curves, sets) if not part.empty]
    if not found:
        return pd.DataFrame()
    frame = pd.concat(found, ignore_index=True)
    last = frame[(frame["solver"] == "fixed-point") & (frame["iterations"] == frame["iterations"].max())]
    kept = last[["dataset", "network", "seed", "mean", "largest"]]
    return kept.drop_duplicates(ignore_index=True)


def levels(value: float) -> str:
    """A number of grey levels in words."""
    if value >= 1e4:
        return "more than 10,000 grey levels"
    return f"{value:,.0f} grey levels" if value >= 10 else f"{value:.2g} grey levels"


def norm_caption(layers: pd.DataFrame) -> str:
    """The caption of Fig. 4.2, by what the layers show."""
    shares = {name: float(np.mean(part)) for name, part in above_one(layers).items()}
    free = [
        f"{part:.0%} in the {name} network" for name, part in shares.items() if not name.startswith("c =")
    ]
    said = (
        f"Left free, many convolutions stretch: {' and '.join(free)} have a norm above one. " if free else ""
    )
    if (layers["method"] == "contractive").any():
        said += "Normalised, all lie at or below their c, so that each branch is a contraction. "
    return (
        f"{said}Exact norms of the operators on images, by the order of the convolutions; "
        "lines are means over "
        "seeds. Dashed: one, below which three layers in a row certainly contract."
    )


def picture_caption(shown: pd.DataFrame) -> str:
    """The caption of Fig. 4.3, by the errors."""
    normal, said = shown[shown["network"] == "c = 0.9"], "Originals and reconstructions"
    if len(normal):
        exact, most = normal["largest"].max() < VISIBLE, levels(normal["largest"].max())
        said = "The normalised network gives every image back " + (
            "to the last bit" if exact else f"but for {most}"
        )
    free = shown[shown["network"].str.startswith("vanilla")].groupby(["dataset", "network"], sort=False)
    others = [f"{network} on {NAMES[dataset]}: {_missed(part)}" for (dataset, network), part in free]
    rest = f"; free networks are another matter ({'; '.join(others)})" if others else ""
    return (
        f"{said}{rest}. First images of the test set, and what 100 iterations a block "
        "make of their features; "
        "values are clipped to the range of an image."
    )


def _missed(part: pd.DataFrame) -> str:
    return "exact as well" if part["largest"].max() < VISIBLE else f"off by {levels(part['mean'].median())}"


def vanilla_caption(free: pd.DataFrame) -> str:
    """The caption of the table on free MNIST networks."""
    error = dict(zip(free["network"], free["error after 100"], strict=True)) if not free.empty else {}
    decayed, bare = error.get("vanilla, decayed"), error.get("vanilla")
    if decayed is None or bare is None:
        said = "Free networks, as far as they are recorded."
    elif decayed < VISIBLE <= bare:
        said = (
            "A free network is invertible on MNIST with the thesis's amount of weight decay, and not without."
        )
    elif decayed < VISIBLE:
        said = "Free networks of both kinds are invertible on MNIST."
    else:
        said = "A free network is not brought back on MNIST, with weight decay or without."
    return (
        f"{said} Norms are the largest of any convolution and of any branch's Jacobian at "
        "test images, the radius "
        "is the Jacobian's spectral radius; the error is that of 100 plain iterations a "
        "block, in grey levels; "
        "each the worst of the networks."
    )


def iteration_caption(curves: pd.DataFrame, lemma: pd.DataFrame) -> str:
    """The caption of Fig. 4.4."""
    needed = enough(curves)
    own = needed[[name for name in needed.index if name.startswith("c =")]]
    said = "No network brings its images back"
    if len(own):
        count = f"{own.min():.0f} to {own.max():.0f}" if own.max() > own.min() else f"{own.max():.0f}"
        said = f"{count} iterations a block bring an image back to the last bit"
        if len(own) > 1 and own.sort_index().is_monotonic_increasing:
            said += ", the fewer the smaller c is"
    return (
        f"{said}. Left: error of the whole image, root mean square over its pixels, mean "
        "over test images and "
        "seeds; dotted: Anderson's method. Right: the largest error over blocks and "
        "images of a block whose true "
        "input is known, in double precision, and the largest of Lemma 4.5's bounds with "
        "the certain constant."
    )


def cost_caption(metrics: pd.DataFrame) -> str:
    """The caption of Table 4.1."""
    falls = []
    for (dataset, _), own in metrics.groupby(["dataset", "padding"], sort=False):
        if len(cost := costs(own, "c = 0.5", "c = 0.9")):
            falls.append(f"{np.mean(cost):.2f} points on {NAMES[dataset]}")
    said = f"Going from c = .9 to .5 costs {', '.join(falls)}" if falls else "Test errors as far as recorded"
    return (
        f"{said}. Test error in per cent, means over seeds, and the thesis's values after "
        "200 epochs: errors of a "
        "short training are far from those, and only their order by c is compared."
    )


def summary(images: Any, small: Any) -> str:
    """What was found, in a sentence or two for the head of the page."""
    shown = error_frame(images, small)
    if shown.empty:
        return "None of the trained networks is recorded yet; what stands here follows from the equations."
    normal, free = (shown[shown["network"] == name] for name in ("c = 0.9", "vanilla"))
    said = "We find that normalised networks are undone"
    said += (
        " to the last bit of every pixel" if normal["largest"].max() < VISIBLE else ", if not to the last bit"
    )
    other = f", while free ones trained in the same way are {_missed(free)}" if len(free) else ""
    return (
        f"{said}{other}; that the bound of the lemma is far from tight; and that accuracy is paid for with c."
    )
