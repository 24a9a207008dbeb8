"""The networks that are trained in the page: they start as the library's, and the convex one stays convex."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from invex.analysis.convex_regression import convex_regression
from invex.nn.convex import ConvexNetwork

pytestmark = pytest.mark.browser
PAGE = "convexity/input-convex-networks.html"


def opened(browser: Any, site: Path, figure: str) -> tuple[Any, Any, dict[str, Any]]:
    """The page, the stage of an interactive on it, and the interactive's data."""
    tab = browser.new_page(viewport={"width": 1600, "height": 1000})
    tab.goto((site / PAGE).as_uri())
    data = json.loads(tab.locator(f"#{figure}-data").text_content())
    stage = tab.locator(f"#{figure} .ix-stage")
    stage.scroll_into_view_if_needed()
    return tab, stage, data


@pytest.fixture(scope="module")
def line(browser: Any, site: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    tab, stage, data = opened(browser, site, "amos2017-prop1-line")
    yield stage, data
    tab.close()


@pytest.fixture(scope="module")
def plane(browser: Any, site: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    tab, stage, data = opened(browser, site, "amos2017-prop1-plane")
    yield stage, data
    tab.close()


def network(given: dict[str, Any], dimension: int) -> ConvexNetwork:
    """The library's network with the weights that the page was given."""
    made = ConvexNetwork(dimension, [len(bias) for bias in given["b"][:-1]], positivity="projection")
    with torch.no_grad():
        for layer, weight, bias in zip(made.inputs, given["S"], given["b"], strict=True):
            layer.weight.copy_(torch.tensor(weight))
            layer.bias.copy_(torch.tensor(bias))
        for raw, weight in zip(made.raw, given["W"], strict=True):
            raw.copy_(torch.tensor(weight))
    return made


def numbers(stage: Any) -> list[float]:
    return [float(text) for text in re.findall(r"\d+(?:\.\d+)?", stage.locator("[aria-live]").text_content())]


def settled(stage: Any) -> list[float]:
    """What it says once training has ended."""
    stage.locator('[aria-live][aria-busy="false"]').wait_for(timeout=60_000)
    return numbers(stage)


def drawn(stage: Any, colour: int) -> np.ndarray:
    """Points of the curve of the plain (0) or the convex (1) network, upwards."""
    paths = [p for p in stage.locator("path").all() if p.get_attribute("stroke-width") == "2.4"]
    values = [float(v) for v in re.findall(r"-?\d+\.\d+", paths[colour].get_attribute("d"))]
    return np.array(values).reshape(-1, 2) * [1, -1]


def test_the_page_starts_with_the_librarys_errors(line: tuple[Any, dict[str, Any]]) -> None:
    stage, data = line
    y, t = torch.tensor(data["points"]), torch.tensor(data["targets"])
    expected = []
    for name in ("plain", "convex"):
        with torch.no_grad():
            expected.append((network(data["networks"][name], 1)(y) - t).square().mean().sqrt().item())
    best = convex_regression(y[:, 0].double().numpy(), t.double().numpy())
    expected.append(float(np.sqrt(np.mean((best - t.double().numpy()) ** 2))))
    np.testing.assert_allclose(settled(stage), expected, atol=0.0051)


def test_a_point_that_is_moved_by_key_changes_both_and_the_convex_one_stays_convex(
    line: tuple[Any, dict[str, Any]],
) -> None:
    stage, _ = line
    before = settled(stage)
    handle = stage.locator("circle").nth(6)
    handle.focus()
    for _ in range(6):
        handle.press("ArrowUp")
    after = settled(stage)
    assert after != before
    assert after[1] >= after[2] - 0.011  # never better than the best convex function
    curve = drawn(stage, 1)
    slopes = np.diff(curve[:, 1]) / np.diff(curve[:, 0])
    assert np.diff(slopes).min() > -0.02  # the path is drawn to a hundredth of a unit
    rough = drawn(stage, 0)
    assert np.diff(np.diff(rough[:, 1]) / np.diff(rough[:, 0])).min() < -0.05


def test_a_hill_leaves_the_convex_network_a_straight_line(line: tuple[Any, dict[str, Any]]) -> None:
    stage, _ = line
    stage.get_by_role("button", name="a hill").click()
    plain, convex, best = settled(stage)
    assert plain < 0.1 < convex
    assert convex == pytest.approx(best, abs=0.05)


def test_signs_in_the_plane_are_those_of_the_library(plane: tuple[Any, dict[str, Any]]) -> None:
    stage, data = plane
    y, sign = torch.tensor(data["points"]), torch.tensor(data["targets"])
    wrong = [
        int((network(data["networks"][n], 2)(y).detach() * sign <= 0).sum()) for n in ("plain", "convex")
    ]
    assert settled(stage)[:2] == wrong
    assert wrong[0] < wrong[1]


def test_turning_a_point_in_the_plane_trains_again(plane: tuple[Any, dict[str, Any]]) -> None:
    stage, _ = plane
    handle = stage.locator("circle").nth(30)
    before = handle.get_attribute("fill")
    handle.focus()
    handle.press("Enter")
    assert handle.get_attribute("fill") != before
    settled(stage)
