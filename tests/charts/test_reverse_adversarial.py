"""The figures and sentences of the reverse view, from the quick runs and from any subset of them."""

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd
import pytest
import torch
from invex.analysis.adversarial_spheres import Spheres, thresholds
from invex.analysis.two_views import fitted, two_views
from invex.charts import reverse_adversarial as charts
from invex.charts import reverse_metamers as pictures
from invex.charts import reverse_words as words
from invex.charts.style import NARROW, WIDTH, house
from invex.experiments import independence
from invex.lab.records import record
from invex.press.records_view import Records
from matplotlib.figure import Figure


@pytest.fixture(scope="module")
def runs() -> Records:
    tiny = {"couplings": 1, "width": 8, "epochs": 1, "examples": 300, "measured": 200, "paired": 30}
    configs = [replace(each, **tiny) for each in independence.configs("quick")]
    done = independence.run(configs, device="cpu", folder=None, progress=lambda text: None)
    return Records("independence", [record("independence", c, "quick", o, {}) for c, o in done], [])


def subsets(runs: Records) -> Iterator[Records]:
    for some in ([], runs.runs[:1], runs.runs[1:], runs.runs):
        yield replace(runs, runs=some)


def sound(figure: Figure) -> None:
    figure.draw_without_rendering()
    assert all(min(axes.get_window_extent().size) > 8 for axes in figure.axes)


@pytest.mark.parametrize("width", [NARROW, WIDTH])
def test_figures_are_drawn_from_any_subset(runs: Records, width: float) -> None:
    for some in subsets(runs):
        shown = pictures.pictured(some)
        if shown.empty:
            continue
        with house(width):
            one = pictures.first(shown)
            sound(charts.metamer_rows(pictures.rows(one), one["logits"], one["metamer_logits"]))
            sound(charts.interpolations(pictures.blocks(shown)))
            sound(charts.votes(shown.frame("metamers")))
            estimates = words.chosen(some.frame("information"), planted=True)
            sound(charts.information(estimates, words.CLASS_ENTROPY))


def test_words_say_what_is_missing_and_register_what_is_there(runs: Records) -> None:
    for some in subsets(runs):
        said: dict[str, object] = {}
        shown = pictures.pictured(some)
        along, quality = shown.frame("metamers"), shown.metrics()
        estimates, accuracies = (
            words.chosen(some.frame(n), planted=True) for n in ("information", "accuracy")
        )
        sentences = [
            pictures.in_words(along),
            pictures.natural_in_words(along, quality),
            words.shift_in_words(estimates, accuracies),
            words.tight_in_words(words.tightness_table(estimates)),
        ]
        assert any(words.MISSING in text.lower() for text in sentences) == (len(some.runs) < 2)
        words.register(lambda name, *a, said=said, **k: said.update({name: a or k}), estimates, accuracies)
        pictures.register(lambda name, *a, said=said, **k: said.update({name: a or k}), along, quality, shown)
        assert ("behrmann2019-fig6.5/ce" in said) == any(run.config["loss"] == "ce" for run in some.runs)
        assert ("behrmann2019-fig6.4/less" in said) == (len(some.runs) == 2)
        assert len(words.accuracy_table(words.planted_rows(some.frame("accuracy")))) == len(some.runs)


def test_the_slider_holds_every_step_as_digits(runs: Records) -> None:
    found = pictures.slider(pictures.pictured(runs))
    assert [loss["name"] for loss in found["losses"]] == ["ce", "ice"]
    frames = found["losses"][0]["pairs"][0]["frames"]
    assert {len(frame) for frame in frames} == {2 * found["side"] ** 2}
    path = pictures.first(pictures.pictured(runs))["path"]
    assert bytes.fromhex(frames[0]) == bytes(path[0, 0].flatten().tolist())


def test_spheres_and_views_are_drawn_and_the_printed_indices_leave_the_sphere() -> None:
    spheres = Spheres(30, 3)
    bias = spheres.bias(50, torch.Generator().manual_seed(0))
    curves = words.sphere_curves(spheres, bias, 50, 0)
    x = spheres.sample("outer", 20, torch.Generator().manual_seed(1))
    printed, mended = words.off_sphere_as_printed(spheres, x, bias)
    assert mended < 1e-12 < 1e-4 < printed
    assert isinstance(curves, pd.DataFrame)
    classifier, points, labels = fitted(100)
    for width in (NARROW, WIDTH):
        with house(width):
            sound(charts.spheres(curves, thresholds(spheres, bias)))
            sound(charts.two_views(classifier, two_views(classifier), points, labels))
