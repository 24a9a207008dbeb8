"""The interactives, by mouse and keyboard: what they draw and say is what the library computes."""

import json
import math
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib.path
import numpy as np
import pytest
import torch
from invex.analysis import signal
from invex.analysis.level_sets.pullback import pointer_crossings
from invex.charts.signal_words import shown, typical
from invex.nn.initialise import principled

pytestmark = pytest.mark.browser


def opened(
    browser: Any, site: Path, page: str, figure: str, width: int = 1400, touch: bool = False
) -> tuple[Any, Any, dict[str, Any]]:
    """A page of the site, the stage of an interactive on it, and the interactive's data."""
    tab = browser.new_page(viewport={"width": width, "height": 900}, has_touch=touch)
    tab.goto((site / page).as_uri())
    data = json.loads(tab.locator(f"#{figure}-data").text_content())
    stage = tab.locator(f"#{figure} .ix-stage")
    stage.scroll_into_view_if_needed()
    return tab, stage, data


@pytest.fixture(scope="module")
def explorer(browser: Any, site: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    page = "initialisation/signal-propagation.html"
    tab, stage, data = opened(browser, site, page, "hoedt2023-fig1-explorer")
    yield stage, data
    tab.close()


def cells(stage: Any) -> list[list[float]]:
    """Rows of the explorer's table: measured and recursion; NaN where it has a dash."""
    rows = [row.locator("td").all_text_contents() for row in stage.locator("tbody tr").all()]
    return [[math.nan if text == "–" else number(text) for text in row] for row in rows]


def number(text: str) -> float:
    lowered = text.translate(str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789"))
    return float(lowered.replace("\N{MINUS SIGN}", "-").replace(" × 10", "e"))


def settings(stage: Any) -> tuple[float, int, int]:
    rho, width, layers = (float(text) for text in stage.locator("output").all_text_contents())
    return rho, int(width), int(layers)


def expected(rho: float, width: int, layers: int) -> tuple[float, float]:
    """Mean and variance of the last of these layers by the recursion."""
    states = signal.trajectory(
        signal.moments(), [principled(width, correlation=rho)] * (layers - 1), [width] * (layers - 1)
    )
    return states[-1].mean.item(), states[-1].variance.item()


@pytest.mark.parametrize(
    ("slider", "key"), [(0, "ArrowLeft"), (0, "End"), (1, "ArrowRight"), (2, "ArrowLeft"), (2, "Home")]
)
def test_each_slider_of_the_explorer_redraws_it(explorer: Any, slider: int, key: str) -> None:
    stage, data = explorer
    before = settings(stage), stage.locator("svg").first.inner_html()
    stage.locator("input[type=range]").nth(slider).press(key)
    rho, width, layers = settings(stage)
    assert ((rho, width, layers), stage.locator("svg").first.inner_html()) != before
    assert stage.locator("svg").first.locator("path").count() == layers
    assert stage.locator("caption").text_content() == f"Layer {layers}"
    run = data["runs"]["principled"][data["widths"].index(width)][data["correlations"].index(rho)]
    shown = cells(stage)
    measured = [math.nan if value is None else value for value in run["measured"][layers - 1]]
    np.testing.assert_allclose([row[0] for row in shown], measured, rtol=0.05, atol=0.006)
    np.testing.assert_allclose(
        [row[1] for row in shown[:2]], expected(rho, width, layers), rtol=0.05, atol=0.006
    )


def test_the_method_of_the_explorer_is_chosen_and_taken_back(explorer: Any) -> None:
    stage, data = explorer
    rho, before = stage.locator("input[type=range]").first, cells(stage)
    stage.get_by_label("clamped").check()
    assert rho.is_disabled()
    assert cells(stage) != before
    _, width, layers = settings(stage)
    run = data["runs"]["clamped"][data["widths"].index(width)][0]
    assert cells(stage)[0][0] == pytest.approx(run["measured"][layers - 1][0], rel=0.05, abs=0.006)
    stage.get_by_label("principled").check()
    assert cells(stage) == before


def test_the_explorer_opens_on_its_finding_and_explains_what_the_text_says_of_it(explorer: Any) -> None:
    stage, data = explorer
    stage.page.reload()
    assert settings(stage) == (0.5, 64, 7)
    run = data["runs"]["principled"][1][4]
    assert stage.locator(".sp-finding").text_content() == words_of(run, 7, data)
    measured = shown(run["measured"][6][1])
    assert stage.locator("tbody tr").nth(1).locator("td").first.text_content() == measured
    assert f"Variance {measured} measured" in stage.locator(".sp-reason").text_content()
    page = " ".join(stage.page.locator("main").inner_text().split())
    assert f"the measured variance is {measured} and that of the recursion is" in page


def words_of(run: dict[str, Any], layers: int, data: dict[str, Any]) -> str:
    """What the explorer says of a signal that falls silent, from the library's own bulk of a histogram."""
    mean, variance = typical(run["histograms"][layers - 1], data["low"], data["high"])
    assert variance < 0.1
    rounded = f"{mean:.1f}".replace("-", "\N{MINUS SIGN}")
    little = "below 0.01" if variance < 0.01 else f"of {variance:.2f}"
    return (
        f"A correlation of 0.5 is asked for, and the signal falls silent: in layer {layers} all but a "
        f"hundredth of the pre-activations lie near {rounded}, with a variance {little}."
    )


def test_a_layer_of_the_explorer_is_chosen_by_click_and_keys(explorer: Any) -> None:
    stage, data = explorer
    rho, width, _ = settings(stage)
    run = data["runs"]["principled"][data["widths"].index(width)][data["correlations"].index(rho)]
    stage.locator(".sp-layer").nth(1).click()
    assert stage.locator("caption").text_content() == "Layer 2"
    assert cells(stage)[0][0] == pytest.approx(run["measured"][1][0], rel=0.05, abs=0.006)
    stage.locator(".sp-layer[aria-checked=true]").press("ArrowDown")
    assert stage.locator("caption").text_content() == "Layer 3"
    stage.locator(".sp-column").first.click()
    assert stage.locator("caption").text_content() == "Layer 1"


def test_the_axis_of_the_explorer_follows_the_method(explorer: Any) -> None:
    stage, _ = explorer
    ticks = lambda: stage.locator("svg").first.locator("text").all_text_contents()  # noqa: E731
    assert not any("10⁴" in tick for tick in ticks())
    stage.get_by_label("clamped").check()
    assert any("10⁴" in tick for tick in ticks())
    stage.get_by_label("principled").check()
    assert not any("10⁴" in tick for tick in ticks())


def test_a_finger_chooses_a_layer_of_the_explorer(browser: Any, site: Path) -> None:
    page = "initialisation/signal-propagation.html"
    tab, stage, _ = opened(browser, site, page, "hoedt2023-fig1-explorer", width=390, touch=True)
    stage.locator(".sp-layer").nth(3).tap()
    assert stage.locator("caption").text_content() == "Layer 4"
    tab.close()


class Pointer:
    """The pointer of the Rosenbrock page, and what is drawn of it in the coordinates of the data."""

    def __init__(self, stage: Any, data: dict[str, Any]) -> None:
        self.stage, self.data = stage, data
        self.panels = dict(zip("zx", stage.locator("svg").all(), strict=True))
        self.handle, self.tip = stage.locator("[role=slider]").all()
        self.radius = np.array(data["radius"])

    def drawn(self, space: str) -> np.ndarray:
        """Where the handle of a panel is: the pointer's end."""
        circle = self.handle if space == "z" else self.tip
        left, right, bottom, top = self.frame(space)
        x, y = (float(circle.get_attribute(name)) for name in ("cx", "cy"))
        return np.array([left + (x - 44) / 288 * (right - left), top - (y - 8) / 288 * (top - bottom)])

    def pixel(self, point: np.ndarray, space: str = "z") -> tuple[float, float]:
        """Where on the screen a point is."""
        left, right, bottom, top = self.frame(space)
        box = self.panels[space].bounding_box()
        across, down = (point[0] - left) / (right - left), (top - point[1]) / (top - bottom)
        x, y = (44 + 288 * across) / 340, (8 + 288 * down) / 340
        return box["x"] + x * box["width"], box["y"] + y * box["height"]

    def frame(self, space: str) -> list[float]:
        """Low and high of both coordinates, of the level that is shown."""
        level = int(np.argmin(np.abs(np.array(self.data["levels"]) - self.level)))
        return self.data["frames"][space][level]

    @property
    def angle(self) -> float:
        """In degrees, as it is said."""
        return float(self.handle.get_attribute("aria-valuenow"))

    @property
    def level(self) -> float:
        """As the label says."""
        return number(self.stage.locator("label span").last.text_content())

    def polar(self) -> tuple[float, float]:
        """Radius and angle in degrees of the handle that is drawn."""
        arm = self.drawn("z") - np.array(self.data["minimum"]["z"])
        return float(np.hypot(*arm)), math.degrees(math.atan2(arm[1], arm[0])) % 360


@pytest.fixture
def pointer(browser: Any, site: Path) -> Iterator[Pointer]:
    tab, stage, data = opened(browser, site, "invariances/rosenbrock.html", "nesterov2022-fig2")
    yield Pointer(stage, data)
    tab.close()


def check(pointer: Pointer) -> None:
    """The label's level is that of the point drawn, and the crossings are those of the curve drawn."""
    radius, angle = pointer.polar()
    angles, data = np.array(pointer.data["angles"]), pointer.data
    radii = [np.interp(math.radians(angle), angles, row, period=2 * math.pi) for row in pointer.radius]
    level = int(np.argmin(np.abs(np.array(data["levels"]) - pointer.level)))
    assert radius == pytest.approx(radii[level], rel=0.02)
    said = pointer.handle.get_attribute("aria-valuetext")
    assert "meets the curve once here" in said
    if level != data["start"]:
        return  # its curve may leave the frame, and only what is in view is counted
    centre, stop = torch.tensor(data["minimum"]["x"]), nearest(pointer, angle)
    arm = torch.tensor(data["x"][level][stop]) - centre
    counted = int(
        pointer_crossings(torch.tensor(data["x"][level]), centre, torch.atan2(arm[1], arm[0])[None])
    )
    possible = {counted - 1, counted, counted + 1}  # a ray that touches the curve may be counted either way
    words = [{1: "once", 2: "twice"}.get(count, f"{count} times") for count in possible]
    assert any(said.endswith(f"{word} in input space") for word in words)


def nearest(pointer: Pointer, degrees: float) -> int:
    """Which of the angles the pointer stands at."""
    away = np.array(pointer.data["angles"])[pointer.data["stops"]] - math.radians(degrees)
    return int(pointer.data["stops"][int(np.abs(np.angle(np.exp(1j * away))).argmin())])


def test_the_pointer_starts_on_its_level_and_the_whole_curve_is_in_the_frame(pointer: Pointer) -> None:
    check(pointer)
    data = pointer.data
    left, right, bottom, top = pointer.frame("x")
    curve = np.array(data["x"][data["start"]])
    assert ((curve >= [left, bottom]) & (curve <= [right, top])).all()
    assert pointer.level == pytest.approx(data["levels"][data["start"]], abs=0.006)


def test_a_ray_that_is_carried_back_stays_within_its_level_curve_until_its_end(pointer: Pointer) -> None:
    data, level = pointer.data, pointer.data["start"]
    left, right, bottom, top = pointer.frame("x")
    pixel = np.array([(right - left) / 288, (top - bottom) / 288])
    curve, strays, straight = np.array(data["x"][level]) / pixel, [], []
    for stop, ray in zip(data["stops"], data["rays"], strict=True):
        tip, end = data["x"][level][stop], data["radius"][level][stop] * (1 - 1e-9)
        carried = [*([a, b] for radius, a, b in ray if radius < end), tip]
        strays.append(stray(np.array(carried) / pixel, curve))
        straight.append(stray(np.array([data["minimum"]["x"], tip]) / pixel, curve))
    assert max(strays) < 0.5  # of a pixel: what is drawn cuts nothing
    assert max(straight) > 5  # the control: a straight pointer leaves it


def stray(path: np.ndarray, curve: np.ndarray) -> float:
    """How far a polyline (m, 2) goes beyond a closed one (n, 2), in the units of both."""
    share = np.linspace(0, 1, 20)[:, None]
    points = np.concatenate([a + share * (b - a) for a, b in pairwise(path)])
    outside = points[~matplotlib.path.Path(curve).contains_points(points)]
    sides = np.roll(curve, -1, 0) - curve
    away = [0.0]
    for point in outside:
        along = ((point - curve) * sides).sum(1) / np.maximum((sides**2).sum(1), 1e-12)
        nearest_points = curve + np.clip(along, 0, 1)[:, None] * sides
        away.append(float(np.linalg.norm(nearest_points - point, axis=1).min()))
    return max(away)


@pytest.mark.parametrize(
    ("key", "stops"), [("ArrowLeft", 1), ("ArrowRight", -1), ("PageUp", 20), ("PageDown", -20)]
)
def test_the_pointer_turns_with_the_keyboard(pointer: Pointer, key: str, stops: int) -> None:
    before, place = nearest(pointer, pointer.polar()[1]), pointer.drawn("z")
    pointer.handle.press(key)
    after, all_stops = nearest(pointer, pointer.polar()[1]), pointer.data["stops"]
    assert (all_stops.index(after) - all_stops.index(before)) % len(all_stops) == stops % len(all_stops)
    assert np.hypot(*(pointer.drawn("z") - place)) > 0
    check(pointer)


def test_the_pointer_can_be_moved_in_input_space(pointer: Pointer) -> None:
    data, mouse = pointer.data, pointer.stage.page.mouse
    stop = data["stops"][len(data["stops"]) // 3]
    target = np.array(data["x"][data["start"]][stop])
    mouse.move(*pointer.pixel(target, "x"))
    mouse.down()
    mouse.up()
    assert pointer.drawn("x") == pytest.approx(target, abs=0.03)
    check(pointer)


@pytest.mark.parametrize("degrees", [20, 135, 300])
def test_the_pointer_follows_the_mouse(pointer: Pointer, degrees: int) -> None:
    mouse, theta = pointer.stage.page.mouse, math.radians(degrees)
    away = 0.8 * pointer.radius[pointer.data["start"]].max() * np.array([math.cos(theta), math.sin(theta)])
    mouse.move(*pointer.pixel(pointer.drawn("z")))
    mouse.down()
    mouse.move(*pointer.pixel(np.array(pointer.data["minimum"]["z"]) + 0.2 * away))
    mouse.up()
    turned = pointer.angle
    assert turned == pytest.approx(degrees, abs=1.5)
    check(pointer)
    mouse.move(*pointer.pixel(pointer.drawn("z") + 0.3 * pointer.radius[pointer.data["start"]].max()))
    assert pointer.angle == turned  # released: it stays


def test_the_level_moves_the_pointer_out_and_in(pointer: Pointer) -> None:
    slider = pointer.stage.locator("input[type=range]")
    slider.press("Home")
    (radius, _), level = pointer.polar(), pointer.level
    slider.press("ArrowRight")
    assert pointer.level > level
    assert pointer.polar()[0] > radius
    check(pointer)
    slider.press("Home")
    assert pointer.level == level
    assert pointer.polar()[0] == pytest.approx(radius)
    check(pointer)


def test_a_finger_turns_the_pointer_and_does_not_scroll_the_page(browser: Any, site: Path) -> None:
    tab, stage, data = opened(
        browser, site, "invariances/rosenbrock.html", "nesterov2022-fig2", width=390, touch=True
    )
    pointer, finger = Pointer(stage, data), tab.context.new_cdp_session(tab)
    pointer.panels["z"].scroll_into_view_if_needed()
    (x, y), centre = pointer.pixel(pointer.drawn("z")), pointer.pixel(np.array(data["minimum"]["z"]))
    before = tab.evaluate("scrollY")
    for kind, up in [("Start", 0), *(("Move", 10 * step) for step in range(1, 9)), ("End", 80)]:
        points = [] if kind == "End" else [{"x": x, "y": y - up}]
        finger.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})
        tab.wait_for_timeout(50)  # moves within a frame are told as one
    turned = math.degrees(math.atan2(centre[1] - (y - 80), x - centre[0])) % 360
    assert pointer.angle == pytest.approx(turned, abs=2)
    assert tab.evaluate("scrollY") == before
    tab.close()
