"""What the chapter on the reverse view says of its numbers: frames, sentences, results."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import torch
from torch import Generator, Tensor

from invex.analysis import bootstrap
from invex.analysis.adversarial_spheres import (
    ATTACKS,
    SPHERES,
    Spheres,
    accuracy,
    attack_norms,
    attacked,
    theory,
)

MISSING = "the trained networks are not recorded yet"
ZERO = 0.1  # nats
LOSSES = {
    "ce": "cross-entropy", "ice": "independence cross-entropy", "likelihood": "CE + likelihood term",
}  # fmt: skip
CLASS_ENTROPY = math.log(10)  # of ten equally frequent classes; the data sets are within 0.02 of it


def sphere_curves(spheres: Spheres, bias: float, points: int, seed: int) -> pd.DataFrame:
    """Accuracy by norm for each attack and sphere, sampled and exact.

    Columns attack, sphere, norm, accuracy, theory.
    """
    limits = torch.linspace(0, 1.05, 106, dtype=torch.float64)
    generator = Generator().manual_seed(seed)
    parts = []
    for attack in ATTACKS:
        for sphere in SPHERES:
            norms = attack_norms(spheres, spheres.sample(sphere, points, generator), sphere, attack, bias)
            columns = {"norm": limits, "accuracy": accuracy(norms, limits)}
            columns["theory"] = theory(spheres, sphere, attack, bias, limits)
            parts.append(
                pd.DataFrame({k: v.numpy() for k, v in columns.items()}).assign(attack=attack, sphere=sphere)
            )
    return pd.concat(parts, ignore_index=True)


def off_sphere_as_printed(spheres: Spheres, x: Tensor, bias: float) -> tuple[float, float]:
    """How far | |x*| - R2 | the perturbation attack ends from the sphere at the most: as printed, and mended.

    As printed, the coordinates d - n to d are scaled, of which the first is one that the classifier uses.
    """
    used = spheres.dimension - spheres.unused
    moved = x.clone()
    moved[:, :used] *= bias / x[:, :used].norm(dim=1, keepdim=True)
    left = (spheres.outer**2 - moved[:, :used].square().sum(1, keepdim=True)).sqrt()
    tail = moved[:, used - 1 :]
    moved[:, used - 1 :] = tail * left / tail.norm(dim=1, keepdim=True)
    mended = attacked(spheres, x, "outer", "perturbation", bias)
    return tuple(float((y.norm(dim=1) - spheres.outer).abs().max()) for y in (moved, mended))  # type: ignore[return-value]


def chosen(frame: pd.DataFrame, *, planted: bool) -> pd.DataFrame:
    """The rows of the two losses as they are meant: iCE capped, on MNIST (or its stand-in)."""
    if frame.empty:
        return frame
    own = frame[(frame["planted"] == planted) & frame["capped"] & frame["loss"].isin(["ce", "ice"])]
    return own[own["dataset"] != "fashion_mnist"]


def estimates(frame: pd.DataFrame, loss: str, features: str, distribution: str, estimator: str) -> pd.Series:
    """One estimate a seed."""
    names = {"loss": loss, "features": features, "distribution": distribution, "estimator": estimator}
    for name, value in names.items():
        frame = frame[frame[name] == value]
    return frame.set_index("seed")["value"].sort_index()


def over_seeds(values: Sequence[float]) -> bootstrap.Estimate:
    """Mean over seeds with its bootstrap interval."""
    return bootstrap.interval(lambda sample: sample.mean(-1), list(values), seed=0)


def shift_in_words(frame: pd.DataFrame, accuracies: pd.DataFrame) -> str:
    """What the shift costs with each loss."""
    if frame.empty or set(accuracies["loss"]) < {"ce", "ice"}:
        return MISSING
    under = accuracies[accuracies["images"] == "test shifted"].groupby("loss")["accuracy"].mean()
    left = {
        loss: estimates(frame, loss, "nuisance", "training", "variational").mean() for loss in ("ce", "ice")
    }
    said = {loss: estimates(frame, loss, "nuisance", "training", "adversary").mean() for loss in ("ice",)}
    rises = under["ice"] > under["ce"]
    first = (
        "independence cross-entropy raises the accuracy under the shift "
        f"from {under['ce']:.0%} to {under['ice']:.0%}"
        if rises
        else "independence cross-entropy does not help under the shift "
        f"({under['ice']:.0%} against {under['ce']:.0%})"
    )
    empty = left["ice"] < ZERO
    second = (
        "and empties the nuisance variables"
        if empty
        else f"but the nuisance variables keep {left['ice']:.2f} nats on the class, "
        f"though the adversary of its training sees {said['ice']:z.2f}"
    )
    return f"{first}, {second}"


def accuracy_table(accuracies: pd.DataFrame) -> pd.DataFrame:
    """A row a loss: mean and range over seeds of the accuracy on each kind of test image, in percent."""
    if accuracies.empty:
        return pd.DataFrame()
    labels = {"test": "pixel as in training", "test shifted": "pixel at random", "test plain": "no pixel"}
    rows = []
    for (loss, capped), own in accuracies.groupby(["loss", "capped"], sort=False):
        name = LOSSES.get(loss, loss)
        row = {"loss": name + ("" if capped else ", not capped"), "networks": own["seed"].nunique()}
        for images, label in labels.items():
            values = 100 * own[own["images"] == images]["accuracy"]
            row[label] = f"{values.mean():.1f}" + (
                f" ({values.min():.1f} to {values.max():.1f})" if len(values) > 1 else ""
            )
        rows.append(row)
    return pd.DataFrame(rows)


def tightness_table(frame: pd.DataFrame) -> pd.DataFrame:
    """I(Y; Z_n) in training by the adversary and by those who come after it, a row a network."""
    own = (
        frame[(frame["features"] == "nuisance") & (frame["distribution"] == "training")]
        if len(frame)
        else frame
    )
    if own.empty:
        return pd.DataFrame()
    wide = own.pivot_table(index=["loss", "seed"], columns="estimator", values="value").reset_index()
    names = {"adversary": "adversary", "variational": "fresh classifier", "neighbours": "neighbours"}
    return wide[["loss", "seed", *(n for n in names if n in wide)]].rename(columns=names)


def tightness_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The networks of `tightness_table` under the names of their losses."""
    return table.replace({"loss": LOSSES}) if len(table) else table


def tight_in_words(table: pd.DataFrame) -> str:
    """Whether the adversary of training knew what is in the nuisances."""
    own = table[table["loss"] == "ice"] if len(table) else table
    if own.empty or "adversary" not in own:
        return f"{MISSING.capitalize()}."
    adversary, fresh = own["adversary"].mean(), own["fresh classifier"].mean()
    if fresh - adversary <= ZERO:
        return (
            f"The adversary's bound is tight: it finds {adversary:z.2f} nats, a fresh classifier {fresh:.2f}."
        )
    return (
        f"The bound that training pushes down is not tight. Its adversary ends at {adversary:z.2f} nats, "
        f"and a fresh classifier finds {fresh:.2f} in the same nuisances: the network has learnt to fool "
        "its adversary "
        "rather than to take the class away."
    )


def planted_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of all losses with the planted pixel."""
    return frame[frame["planted"]] if len(frame) else frame


def register(result: Callable[..., Any], frame: pd.DataFrame, accuracies: pd.DataFrame) -> None:
    """Register what Figure 6.4 says; of a loss that is not recorded, nothing."""
    if frame.empty:
        return
    pick = lambda loss, part, where, by="variational": estimates(frame, loss, part, where, by)  # noqa: E731
    ce, ice = pick("ce", "semantic", "training"), pick("ice", "semantic", "training")
    if len(ce):
        dropped = ce - pick("ce", "semantic", "shifted")
        result("behrmann2019-fig6.4/ce-drops", **ends(dropped))
    if len(ice):
        result("behrmann2019-fig6.4/ice-stays", **ends(ice - pick("ice", "semantic", "shifted")))
        result("behrmann2019-fig6.4/ice-empties", **ends(pick("ice", "nuisance", "training")))
        gap = pick("ice", "nuisance", "training") - pick("ice", "nuisance", "training", "adversary")
        result("behrmann2019-fig6.4-tightness/gap", **ends(gap))
    if len(ce) and len(ice):
        for by, name in (("variational", "less"), ("neighbours", "less-neighbours")):
            less = (pick("ce", "nuisance", "training", by) - pick("ice", "nuisance", "training", by)).dropna()
            result(f"behrmann2019-fig6.4/{name}", **ends(less))
        under = accuracies[accuracies["images"] == "test shifted"].pivot_table(
            index="seed", columns="loss", values="accuracy"
        )
        result("behrmann2019-fig6.4-accuracy/gain", **ends((under["ice"] - under["ce"]).dropna()))


def ends(values: pd.Series) -> dict[str, Any]:
    """Mean over networks with its bootstrap interval and their number, as `Chapter.result` takes them."""
    estimate = over_seeds(values.tolist())
    return {"value": estimate.value, "low": estimate.low, "high": estimate.high, "n": len(values)}
