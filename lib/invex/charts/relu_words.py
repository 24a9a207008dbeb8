"""What the figures of the chapter on pre-images show, in sentences that the data choose."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from invex.charts.relu_preimages import ROW_WORDS, matched

BOUNDS = ["smallest", "lemma_3_5", "interlaced", "lemma_3_6"]


def maps_in_words(maps: pd.DataFrame) -> str:
    """The finding of Figure 3.1."""
    ends = [name for name, own in maps.groupby("network", sort=False) if (own["kind"] == "unbounded").any()]
    link = (
        "the kind goes with the condition number everywhere"
        if matched(maps)
        else "the two do not always agree"
    )
    if maps["network"].nunique() < 2:
        return f"What a layer of three units forgets, point by point: {link}."
    if ends == [ROW_WORDS[False]]:
        first = "A network forgets without limit only if its rows leave a halfspace free"
        return f"{first} (below), and both kinds tell the circles apart; {link}."
    return f"Unbounded pre-images with {' and '.join(map(str, ends)) or 'no network'}; {link}."


def forgetful_in_words(found: pd.DataFrame) -> str:
    """How often a pre-image that is no point has a condition number above one, with least and most inputs."""
    wide = found[found["kind"] != "singleton"]
    above = (wide["condition"] > 1 + 1e-9).groupby(wide["inputs"]).mean()
    least, most = above.index.min(), above.index.max()
    return (
        f"among pre-images that are more than a point, {above[least]:.0%} have a condition number above one "
        f"with {least} inputs, and {above[most]:.0%} with {most}"
    )


def trends(layers: pd.DataFrame, zero: float) -> pd.DataFrame:
    """What the text says of Fig. 3.4, for every trained network, as true or false, with the numbers.

    `grows`: the largest singular value, from each of layers 1 to 5 to the next; `shrinks`: the smallest, from
    layer 1 to 5; `cut`: layer 5 has fewer singular values than layer 4; `relieved`: its ReLU makes the
    condition number smaller. All after the ReLU, but for the last, across it.
    """
    rows = []
    own = layers[(layers["zero"] == zero) & (layers["epochs"] > 0)]
    for (name, seed), run in own.groupby(["architecture", "seed"], sort=False):
        after = run[run["rectified"] == 1].set_index("layer")
        before = run[run["rectified"] == 0].set_index("layer")
        largest, condition, number = after["largest"], after["condition"], after["number"]
        least = largest / condition
        rows.append(
            {
                "architecture": name, "seed": seed,
                "grows": bool((largest.loc[1:5].diff().dropna() > 0).all()),
                "growth": largest[5] / largest[1], "shrinks": bool(least[5] < least[1]),
                "shrinkage": least[5] / least[1], "cut": bool(number[5] < number[4]),
                "first cut": int((number < number[1]).idxmax()) if (number < number[1]).any() else 0,
                "relieved": bool(condition[5] < before["condition"][5]), "number": number[5],
                "condition": condition[5],
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def trends_in_words(found: pd.DataFrame) -> str:
    """The finding of Figure 3.4, for WideCIFAR and then ThinCIFAR."""
    if found.empty:
        return "The singular values of the trained networks are not recorded yet."
    sentences = []
    wide, thin = (found[found["architecture"] == name] for name in ("WideCIFAR", "ThinCIFAR"))
    if len(wide):
        grows, shrinks = wide["grows"].all(), wide["shrinks"].all()
        first = "grows from layer to layer" if grows else "does not grow at every layer"
        second = "decay" if shrinks else "do not decay"
        join = "and" if grows == shrinks else "but"
        sentences.append(
            f"In WideCIFAR the largest singular value {first} ({_factor(wide['growth'])} from layer 1 to 5), "
            f"{join} the smallest {second} ({_factor(1 / wide['shrinkage'])})."
        )
    if len(thin):
        at = int(thin["first cut"].median())
        where = f"loses directions from layer {at} on" if at else "loses none up to layer 6"
        eased = (
            "makes the condition number smaller"
            if thin["relieved"].all()
            else "does not ease the condition number"
        )
        sentences.append(f"ThinCIFAR {where}, and the ReLU of layer 5 {eased}.")
    return " ".join(sentences)


def _factor(values: pd.Series) -> str:
    low, high = (f"{float(f'{end:.2g}'):,.3g}" for end in (values.min(), values.max()))
    return f"a factor of {low}" if low == high else f"factors of {low} to {high}"


def growth_in_words(found: pd.DataFrame, layers: pd.DataFrame, zero: float) -> str:
    """What training changed: the largest singular value of layer 5 over that of layer 1, before and after."""
    untrained = layers[(layers["epochs"] == 0) & (layers["zero"] == zero) & (layers["rectified"] == 1)]
    if untrained.empty:
        return "The untrained networks are not recorded yet."
    largest = untrained.groupby(["architecture", "layer"])["largest"].median()
    before = {name: largest[name, 5] / largest[name, 1] for name in untrained["architecture"].unique()}
    after = {name: own.median() for name, own in found.groupby("architecture", sort=False)["growth"]}
    parts = [f"{before[name]:.2g} to {after[name]:.2g} in {name}" for name in after if name in before]
    if not parts:
        return "The untrained networks are not recorded yet."
    made = all(before[name] < 1 < after[name] for name in after if name in before)
    return (
        "Training takes the ratio of the largest singular values after layers 5 and 1 from "
        f"{' and from '.join(parts)}. "
        + ("It is training that makes a network amplify; as initialised it shrinks." if made else "")
    )


def runs_in_words(metrics: pd.DataFrame, layers: pd.DataFrame) -> str:
    """How many networks and images, and how well they classify."""
    if metrics.empty:
        return ""
    done = metrics[metrics["failed"] == ""]
    parts = [
        f"{name}: {len(own)} network{'s' if len(own) > 1 else ''} of {own['epochs'].max()} epochs, "
        f"{own['images'].max()} images, test accuracy {own['test_accuracy'].median():.0%}"
        for name, own in done.groupby("architecture", sort=False)
    ]
    dashed = "; dashed: untrained" if (layers["epochs"] == 0).any() else ""
    return f"Medians over images. {'; '.join(parts)}{dashed}."


def register(result: Callable[..., Any], found: pd.DataFrame) -> None:
    """Register what the text says of Figure 3.4; of a claim whose network is not recorded, nothing."""
    for name, columns in (("WideCIFAR", ("grows", "shrinks")), ("ThinCIFAR", ("cut", "relieved"))):
        own = found[found["architecture"] == name]
        for column in columns if len(own) else ():
            result(f"behrmann2019-fig3.4/{column}", bool(own[column].all()), n=len(own))
