"""The chapter on learning dynamics from made-up records: each variation drawn, each claim evaluated."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bs4 import BeautifulSoup, Tag
from invex.experiments.learning_dynamics import Config, configs
from invex.lab import experiments, provenance
from invex.lab.records import Outcome, Store, record
from invex.nn.classifier import METHODS, ONLY_SHIFT

ROOT = Path(__file__).parents[2]
CHAPTER = "initialisation/learning-dynamics"
ENDS = dict(zip(METHODS, (0.05, 2.3, 0.06, 0.08), strict=True))


def end(config: Config) -> float:
    """Loss at the end: by a factor of the variation, and a little more by seed."""
    factor = (0.5 if config.bias_noise else 1) * (2 if config.positivity == "exponential" else 1)
    factor *= 0.8 if config.correlation == 0.1 else 1
    return ENDS.get(config.method, 1.0) * factor * (1 + 0.01 * config.seed)


def outcome(config: Config) -> Outcome:
    steps, last = list(range(0, 2000, 50)), end(config)
    losses = last + (2.3 - last) * np.exp(-np.array(steps) / 100)
    if config.positivity == "exponential" and config.method == "ICNN":
        return Outcome({"curve": {"step": steps[:3], "loss": losses[:3].tolist()}}, {}, {}, "loss not finite")
    metrics = {"final_loss": last, "test_loss": last, "test_accuracy": 0.9, "validation_accuracy": 0.9}
    return Outcome({"curve": {"step": steps, "loss": losses.tolist()}}, metrics, {"mnist train": "made up"})


def recorded() -> Iterator[Config]:
    """Two seeds of everything on MNIST, and on CIFAR10 of one figure and of what one claim compares."""
    usual = {"bias_noise": 0.0, "correlation": 0.5, "positivity": "projection"}
    for config in configs("paper"):
        plain = vars(config) == vars(config) | usual
        compared = config.hidden == 3 and config.method in ("ICNN", ONLY_SHIFT)
        cifar10 = config.dataset == "cifar10" and plain and (config.hidden == 5 or compared)
        if config.seed < 2 and (config.dataset == "mnist" or cifar10):
            yield config


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chapter rerun from records of which those with rho = 0.1 are stale."""
    root = tmp_path_factory.mktemp("made-up")
    shutil.copytree(ROOT / "book", root / "book", ignore=shutil.ignore_patterns("records"))
    for name in ("_config.yml", "_toc.yml", "static_vendor"):
        (root / name).symlink_to(ROOT / name)
    code = experiments.find("learning_dynamics").code()
    old = replace(code, functions=code.functions | {next(iter(code.functions)): "0000"})
    for config in recorded():
        made = provenance.provenance(
            old if config.correlation == 0.1 else code, device="cpu", wall_seconds=1, batch=1
        )
        Store(root / "book" / "records").put(
            record("learning_dynamics", config, "paper", outcome(config), made)
        )
    command = [sys.executable, "-m", "invex.press.cli", "run", CHAPTER, "--out", str(root / "out")]
    environment = {"INVEX_ROOT": str(root), "PATH": "/usr/bin:/bin", "HOME": str(root)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=root)
    assert done.returncode == 0, done.stdout + done.stderr
    return root / "out"


@pytest.fixture(scope="module")
def page(out: Path) -> tuple[BeautifulSoup, dict[str, dict]]:
    """The chapter's page, and what it registered."""
    results = next(out.rglob("results.json")).read_text(encoding="utf-8")
    html = (out / "html" / f"{CHAPTER}.html").read_text(encoding="utf-8")
    return BeautifulSoup(html, "html.parser"), json.loads(results)


def figure(page: tuple[BeautifulSoup, dict[str, dict]], name: str) -> Tag:
    found = page[0].find(id=f"hoedt2023-{name}")
    assert isinstance(found, Tag)
    return found


@pytest.mark.parametrize("name", ["fig2", "fig5", "fig7", "fig8", "fig9", "fig10"])
def test_a_figure_with_records_is_drawn_and_says_how_many(page, name: str) -> None:
    found = figure(page, name)
    assert found.select("img")
    assert found.select(".ix-badge-partial")
    assert "The loss ends lowest with" in found.select("img")[0]["alt"]


def test_seeds_are_counted_where_each_has_all_its_runs(page) -> None:
    assert figure(page, "fig2").select_one(".ix-badge-partial").get_text() == "2 of 10 seeds"


def test_stale_records_are_marked_and_others_are_not(page) -> None:
    assert "changed since" in figure(page, "fig9").select_one(".ix-badge-stale").get_text()
    assert not figure(page, "fig7").select(".ix-badge-stale")


@pytest.mark.parametrize(
    ("claim", "value"),
    [
        ("fig2/mnist-below", 0.08 / 2.3),
        ("fig2/mnist-similar", 0.08 / 0.05),
        ("fig2/cifar10-similar", 0.08 / 0.05),
        ("fig5/three-layers", 0.08 / 0.05),
        ("fig5/seven-layers", 0.08 / 0.05),
        ("fig7/seven-layers", 0.5),
        ("fig8/not-enough", 1.0 / 0.08),
        ("fig8/overlap", 1.0 / 2.3),
        ("fig8/shallow-cifar10", 1.0 / 2.3),
        ("fig9/deeper", 0.0),
        ("fig10/worse", 2.0),
        ("fig10/possible", 1.0),
    ],
)
def test_ratios_of_the_claims_are_those_of_the_records(page, claim: str, value: float) -> None:
    assert page[1]["results"][f"hoedt2023-{claim}"]["value"] == pytest.approx(value)
    assert page[1]["results"][f"hoedt2023-{claim}"]["n"] == 2


def test_the_order_is_claimed_only_of_data_that_were_recorded(page) -> None:
    ordered = ["non-convex", "ICNN + skip", "ICNN + init", "ICNN"]
    assert list(page[1]["results"]["hoedt2023-fig2/cifar10-order"]["value"]) == ordered
    assert "hoedt2023-fig2/cifar100-order" not in page[1]["results"]
    assert "Not recorded yet: CIFAR100." in figure(page, "fig2").get_text()


def test_the_table_has_a_row_for_each_data_set_and_method(page) -> None:
    rows = [row.get_text(" ", strip=True) for row in figure(page, "fig2-ends").select("tbody tr")]
    assert len(rows) == 8
    assert rows[0].startswith("MNIST non-convex 0.05")


def test_the_table_by_depth_has_a_row_for_each_data_set_and_depth(page) -> None:
    rows = [row.get_text(" ", strip=True) for row in figure(page, "fig5-ends").select("tbody tr")]
    assert [row.split()[:2] for row in rows] == [
        ["MNIST", "3"],
        ["MNIST", "5"],
        ["MNIST", "7"],
        ["CIFAR10", "3"],
        ["CIFAR10", "5"],
    ]
    assert "(2/2) 2.31 (0/2) 0.0603 (2/2)" in rows[0]


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_partial_and_stale_badges_are_accessible(browser: Any, axe: str, out: Path, theme: str) -> None:
    shown = browser.new_context(color_scheme=theme).new_page()
    shown.goto((out / "html" / f"{CHAPTER}.html").as_uri())
    shown.evaluate(axe)
    found = shown.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
    assert shown.locator(".ix-badge-partial").count() > 1
    assert shown.locator(".ix-badge-stale").count() == 1
    shown.context.close()
    assert not [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found]
