"""Sentences about training runs, from few numbers, and from the contrary ones."""

import pandas as pd
import pytest
from invex.charts import learning_dynamics_words as words
from invex.nn.classifier import ONLY_SHIFT

WORDS = {"more": "More", "fewer": "Fewer", "mixed": "Mixed", "open": "Open"}


def left(*kinds: tuple[str, int, str, int, int]) -> pd.DataFrame:
    """Runs of (data, layers, method, how many learn, of how many)."""
    rows = [
        (dataset, hidden, method, seed, 100.0 if seed < learn else float("nan"))
        for dataset, hidden, method, learn, of in kinds
        for seed in range(of)
    ]
    return pd.DataFrame(rows, columns=["dataset", "hidden", "method", "seed", "left"])


def ends(*kinds: tuple[str, int, str, float, float]) -> pd.DataFrame:
    """Ten runs of (data, layers, method, loss, accuracy), a per cent apart."""
    rows = [
        (dataset, hidden, method, seed, loss * (1 + seed / 100), accuracy)
        for dataset, hidden, method, loss, accuracy in kinds
        for seed in range(10)
    ]
    return pd.DataFrame(rows, columns=["dataset", "hidden", "method", "seed", "final_loss", "test_accuracy"])


def test_the_start_is_praised_only_where_more_networks_learn_from_it() -> None:
    better = left(("mnist", 5, "ICNN", 0, 10), ("mnist", 5, "ICNN + init", 9, 10))
    assert words.start_in_words(better) == (
        "More networks learn from the principled start than from the default one: 9 of 10 against none of "
        "10 on MNIST."
    )
    worse = better.assign(method=better["method"].map({"ICNN": "ICNN + init", "ICNN + init": "ICNN"}))
    assert words.start_in_words(worse).startswith("Fewer networks learn")
    both = pd.concat([better, worse.assign(dataset="cifar10")])
    assert words.start_in_words(both).startswith("On some data more, on other data fewer")
    same = left(("mnist", 5, "ICNN", 5, 10), ("mnist", 5, "ICNN + init", 6, 10))
    assert words.start_in_words(same).startswith("It is not clear that more")


def test_data_on_which_all_learn_stand_together_and_others_by_depth() -> None:
    runs = left(
        ("mnist", 3, "ICNN + init", 2, 2), ("mnist", 7, "ICNN + init", 0, 2),
        ("cifar10", 3, "ICNN + init", 2, 2), ("cifar10", 7, "ICNN + init", 2, 2),
    )  # fmt: skip
    assert words.depth_in_words(runs) == (
        "Every principled network learns on CIFAR10, at every depth; on MNIST 2 of 2 with 3 layers and "
        "none of 2 with 7 "
        "layers learn."
    )
    assert words.depth_in_words(runs.head(0)) == "No principled network is recorded."


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (10, 1, "More: 10 of 10 against 1 of 10 on MNIST with 7 layers."),
        (0, 9, "Fewer: none of 10 against 9 of 10 on MNIST with 7 layers."),
        (8, 7, "Open."),
    ],
)
def test_a_variation_changes_what_its_interval_says(one: int, other: int, said: str) -> None:
    runs = left(("mnist", 7, "varied", one, 10), ("mnist", 7, "usual", other, 10))
    assert words.changed_in_words(runs, "varied", "usual", WORDS) == said


def test_a_variation_that_helps_here_and_hinders_there_is_mixed_and_few_runs_say_nothing() -> None:
    here = left(("mnist", 7, "varied", 10, 10), ("mnist", 7, "usual", 0, 10))
    there = left(("mnist", 3, "varied", 0, 10), ("mnist", 3, "usual", 10, 10))
    assert words.changed_in_words(pd.concat([here, there]), "varied", "usual", WORDS).startswith("Mixed: ")
    one = left(("mnist", 7, "varied", 1, 1), ("mnist", 7, "usual", 0, 1))
    assert words.changed_in_words(one, "varied", "usual", WORDS) == "Too few runs are recorded to say."


def test_losses_are_compared_by_intervals() -> None:
    runs = ends(("mnist", 5, "ICNN + init", 0.2, 0.9), ("mnist", 5, "non-convex", 0.1, 0.9))
    assert words.similar_in_words(runs).startswith(
        "Its loss ends above that of the ordinary network: with five"
    )
    assert "2.00 (" in words.similar_in_words(runs)
    lower = ends(("mnist", 5, "ICNN + init", 0.05, 0.9), ("mnist", 5, "non-convex", 0.1, 0.9))
    assert words.similar_in_words(lower).startswith("Its loss ends below")
    both = pd.concat([runs, lower.assign(dataset="cifar10")])
    assert words.similar_in_words(both).startswith("Its loss is compared with")
    assert words.similar_in_words(runs.head(0)) == "Too few runs are recorded to compare their losses."
    said = words.lower_in_words(runs, "ICNN + init", "non-convex")
    assert said == "non-convex ends lower on MNIST at every depth."
    deeper = ends(("mnist", 7, "ICNN + init", 0.05, 0.9), ("mnist", 7, "non-convex", 0.1, 0.9))
    assert words.lower_in_words(pd.concat([runs, deeper]), "ICNN + init", "non-convex") == (
        "ICNN + init ends lower on MNIST with 7 layers; non-convex ends lower on MNIST with 5 layers."
    )
    assert words.lower_in_words(runs.head(0), "ICNN", "non-convex") == "Neither ends clearly lower."


def test_confidence_is_told_where_a_loss_above_guessing_classifies_well() -> None:
    sure = ends(("cifar10", 5, "ICNN + skip", 5.0, 0.41))
    assert "ICNN + skip on CIFAR10 ends at 5.2" in words.confident_in_words(sure)
    assert words.confident_in_words(sure.assign(test_accuracy=0.1)).startswith("No loss above")


def test_silence_before_training_is_counted_among_those_that_fail() -> None:
    runs = pd.DataFrame({"active": [0.0, 0.0, 0.1, 0.2], "left": [None, None, None, 50.0]})
    assert words.silence_in_words(runs) == (
        "Of 3 principled networks that never learn, 2 had a silent last layer before the first step; none "
        "of those that "
        "start so learns."
    )
    lucky = runs.assign(left=[50.0, None, 50.0, 50.0])
    assert words.silence_in_words(lucky).endswith(
        "all had a silent last layer before the first step; 1 that start so learn all the same."
    )
    assert words.silence_in_words(runs.tail(2)).endswith(
        "none had a silent last layer before the first step."
    )
    assert words.silence_in_words(runs.tail(1)) == "Every principled network that is recorded learns."


def test_precisions_differ_only_where_their_intervals_are_apart() -> None:
    rows = pd.DataFrame(
        [("ICNN", "float32", 0.9, 1.1), ("ICNN", "bfloat16", 1.0, 1.2)],
        columns=["method", "products", "loss low", "loss high"],
    )
    assert words.precision_in_words(rows).startswith("No difference shows")
    apart = rows.assign(**{"loss low": [0.9, 1.15]})
    assert words.precision_in_words(apart) == "Products in bfloat16 end elsewhere than in float32 for ICNN."
    assert words.precision_in_words(rows[["method"]]).startswith("Training with products")


def test_each_variation_of_the_paper_is_told_under_the_names_of_the_runs() -> None:
    kinds = {one for one, _, _ in words.VARIATIONS.values()}
    assert {ONLY_SHIFT, "ICNN + init (β = 0.5)"} < kinds
    assert all(set(said) == set(WORDS) for _, _, said in words.VARIATIONS.values())
    runs = left(("mnist", 7, "ICNN + init (β = 0.5)", 10, 10), ("mnist", 7, "ICNN + init", 1, 10))
    told = words.variations_in_words(runs)
    assert told["noise"] == (
        "Random biases let more networks learn: 10 of 10 against 1 of 10 on MNIST with 7 layers."
    )
    assert told["shift"] == "Too few runs are recorded to say."
