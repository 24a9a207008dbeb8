"""The metamers of recorded runs: which runs are pictured, their pictures, and what is said of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
from torch import Tensor

from invex.charts.reverse_words import LOSSES, MISSING, ends

NAMES = {loss: LOSSES[loss] for loss in ("ce", "ice")}


def pictured(runs: Any) -> Any:
    """Of an experiment's `Records` those whose metamers are shown: both losses, MNIST or its stand-in.

    Networks trained without the planted pixel; where none is there, those trained with it.
    """
    own = [
        run
        for run in runs.runs
        if not run.failed
        and run.config["loss"] in NAMES
        and run.config["capped"]
        and run.config["dataset"] != "fashion_mnist"
    ]
    plain = [run for run in own if not run.config["planted"]]
    return replace(runs, runs=sorted(plain or own, key=lambda run: (run.config["loss"], run.config["seed"])))


def tensors(runs: Any) -> dict[str, dict[str, Tensor]]:
    """For each loss the pictures of its first seed."""
    found: dict[str, dict[str, Tensor]] = {}
    for run in runs.runs:
        if run.config["loss"] not in found:
            found[run.config["loss"]] = run.tensors()
    return found


def first(runs: Any) -> dict[str, Tensor]:
    """The pictures of cross-entropy, else of what there is."""
    found = tensors(runs)
    return found.get("ce") or next(iter(found.values()), {})


def rows(one: dict[str, Tensor]) -> list[tuple[str, Tensor]]:
    """Images, metamers and references, each (n, h, w), with their names."""
    return [
        ("image", one["originals"][:, 0]),
        ("metamer", one["path"][:, -1, 0]),
        ("reference", one["references"][:, 0]),
    ]


def blocks(runs: Any) -> list[tuple[str, Tensor, Tensor]]:
    """For each loss its paths (n, steps, h, w) and targets (n, h, w)."""
    return [(loss, t["path"][:, :, 0], t["references"][:, 0]) for loss, t in tensors(runs).items()]


def frame(runs: Any) -> pd.DataFrame:
    """What lies beside the pictures: labels and logits of image and metamer, a row a pair."""
    parts = []
    for loss, one in tensors(runs).items():
        logits = {f"logit {k}": one["logits"][:, k].numpy() for k in range(one["logits"].shape[1])}
        metamer = {f"metamer {k}": one["metamer_logits"][:, k].numpy() for k in range(len(logits))}
        labels = {"label": one["labels"][:, 0].numpy(), "reference": one["labels"][:, 1].numpy()}
        parts.append(pd.DataFrame({"loss": loss, **labels, **logits, **metamer}))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def slider(runs: Any) -> dict[str, Any]:
    """The interactive's data: for each loss the pictures of each pair and step, as hexadecimal digits."""
    found: dict[str, Any] = {"losses": []}
    for loss, one in tensors(runs).items():
        path, targets = one["path"][:, :, 0], one["references"][:, 0]
        found["side"] = path.shape[-1]
        pairs = [
            {
                "frames": [_hex(step) for step in steps],
                "target": _hex(target),
                "label": int(label[0]),
                "reference": int(label[1]),
            }
            for steps, target, label in zip(path, targets, one["labels"], strict=True)
        ]
        found["losses"].append({"name": loss, "pairs": pairs})
    return found


def _hex(image: Tensor) -> str:
    return bytes(image.flatten().tolist()).hex()


def caption(runs: Any, along: pd.DataFrame) -> str:
    """The finding of the pictures of `first`, and which network made them."""
    loss = "ce" if "ce" in tensors(runs) else runs.runs[0].config["loss"]
    config = next(run.config for run in runs.runs if run.config["loss"] == loss)
    share = whole_way(along, loss)["reference"].mean()
    pixel = ", trained with a planted pixel" if config["planted"] else ""
    return (
        f"Each picture in the middle row has, to rounding, the logits of the image above it, and {share:.0%} "
        "of such pictures look like the class of the reference below. "
        f"{config['dataset'].upper()}{pixel}; {config['couplings']} additive couplings, {NAMES[loss]}."
    )


def whole_way(along: pd.DataFrame, loss: str) -> pd.DataFrame:
    """The rows of the metamers of one loss, one a network."""
    return along[(along["share"] == 1) & (along["loss"] == loss)] if len(along) else along


def in_words(along: pd.DataFrame) -> str:
    """Which class the metamers show, for each loss that is there."""
    parts = []
    for loss, name in NAMES.items():
        own = whole_way(along, loss)
        if len(own):
            parts.append(
                f"with {name} {own['reference'].mean():.0%} of the metamers look like the class of the "
                f"reference and {own['own'].mean():.0%} like that of the image whose logits they have"
            )
    return "; ".join(parts) or MISSING


def ratios(along: pd.DataFrame, metrics: pd.DataFrame, share: float = 1.0) -> pd.Series:
    """Distance of cross-entropy's pictures to the nearest training image over that of test images."""
    if along.empty:
        return pd.Series(dtype=float)
    own = along[(along["share"] == share) & (along["loss"] == "ce")].set_index("seed")["distance"]
    real = metrics[metrics["loss"] == "ce"].set_index("seed")["real_distance"]
    return (own / real).dropna()


def natural_in_words(along: pd.DataFrame, metrics: pd.DataFrame) -> str:
    """How far metamers are from the data, beside noise of the same size."""
    found, noise = ratios(along, metrics), ratios(along, metrics, -1.0)
    if found.empty:
        return f"{MISSING.capitalize()}."
    own = whole_way(along, "ce")
    near = abs(found.mean() / noise.mean() - 1) < 0.05
    beside = (
        "which is what as much Gaussian noise on the reference gives"
        if near
        else f"where as much Gaussian noise on the reference gives {noise.mean():.2f} times"
    )
    return (
        f"With cross-entropy a metamer is {found.mean():.2f} times as far from the nearest training image "
        f"as a test image is, {beside}. So what one sees in it is the reference under a grain, not a digit "
        f"drawn anew. Once it is clipped and rounded to 8 bits, {own['kept'].mean():.0%} keep their decision."
    )


def register(result: Callable[..., Any], along: pd.DataFrame, metrics: pd.DataFrame, runs: Any) -> None:
    """Register what Figures 6.1 and 6.5 say; of a loss that is not recorded, nothing."""
    if along.empty:
        return
    result("behrmann2019-fig6.1/logits", float(along["error"].max()), records=runs)
    found = ratios(along, metrics)
    if len(found):
        result("behrmann2019-fig6.1/natural", **ends(found))
    for loss, column in (("ce", "reference"), ("ice", "own")):
        own = whole_way(along, loss)
        if len(own):
            result(f"behrmann2019-fig6.5/{loss}", **ends(own[column]))
