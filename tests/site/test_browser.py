"""The pages in headless Chromium, opened from the folder: quiet, accessible, legible on a phone."""

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytestmark = pytest.mark.browser

LOUD = ("error", "warning", "assert")
SIZES = {
    "wide": {"width": 1400, "height": 900},
    "phone": {"width": 390, "height": 844},
    "small": {"width": 320, "height": 568},
}
BOXES = (".ix-scroll", "div.math", ".highlight pre")  # scroll where wider than the page
DRIVER = "GL Driver Message"  # a browser that draws in three dimensions without a GPU says it is slow

SETTLED = (  # sidebars slide; a page behind others may have no frames
    "(async () => { const wait = time => new Promise(done => setTimeout(done, time)), frame = () =>"
    " Promise.race([new Promise(requestAnimationFrame), wait(200)]); await frame(); await frame(); const"
    " moves = document.getAnimations().map(move => move.finished); await"
    " Promise.race([Promise.allSettled(moves), wait(600)]); await frame(); return true; })()"
)
FORMULAS = (
    "(() => { const all = [...document.querySelectorAll('.math')]; return {all: all.length,"
    " left: all.filter(e => !e.querySelector('svg')).length,"
    " wrong: document.querySelectorAll('[data-mjx-error]').length}; })()"
)
AXE = "axe.run(document, {resultTypes: ['violations'], preload: false})"  # it would ask for style sheets
REACHED = (
    "(boxes, kinds) => boxes.map(box => [kinds.find(kind => box.matches(kind)), box.tabIndex === 0,"
    " box.scrollWidth > box.clientWidth, box.getAttribute('role'), box.getAttribute('aria-label')])"
)


@dataclass
class Seen:
    """What a visit of a page showed: complaints, widths by size, faults, boxes on a phone, and formulas."""

    complaints: list[str] = field(default_factory=list)
    widths: dict[str, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    boxes: list[list[Any]] = field(default_factory=list)
    formulas: dict[str, int] = field(default_factory=dict)


def opened(browser: Any, theme: str, size: str) -> tuple[Any, list[str]]:
    """A first visit in a theme of the system, and the list that complaints and off-site requests go to."""
    page, complaints = browser.new_context(viewport=SIZES[size], color_scheme=theme).new_page(), []
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.on("console", lambda said: loud(said) and complaints.append(f"{said.type}: {said.text}"))
    page.on("request", lambda asked: off_site(asked.url) and complaints.append(f"off-site: {asked.url}"))
    return page, complaints


def loud(said: Any) -> bool:
    return said.type in LOUD and DRIVER not in said.text


def off_site(address: str) -> bool:
    return not address.startswith(("file:", "data:", "blob:"))


def visit(page: Any, site: Path, name: str) -> None:
    page.goto((site / name).as_uri())
    page.wait_for_function("!window.MathJax || !MathJax.startup || MathJax.startup.promise.then(() => true)")


def look(page: Any, sizes: list[str], axe: str) -> Seen:
    """What a page open at the first of these sizes shows at each; `axe` examines it where it is wide."""
    seen = Seen(formulas=page.evaluate(FORMULAS))
    for size in sizes:
        page.set_viewport_size(SIZES[size])
        page.evaluate(SETTLED)
        seen.widths[size] = page.evaluate("document.documentElement.scrollWidth")
        if size == "phone":
            seen.boxes = page.locator(f":is({', '.join(BOXES)})").evaluate_all(REACHED, BOXES)
        if size == "wide" and axe:
            page.evaluate(axe)
            found = page.evaluate(AXE)["violations"]
            seen.faults = [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found]
    return seen


@pytest.fixture(scope="session")
def examined(site: Path, visited: list[str]) -> list[str]:
    """Pages whose every element is examined; of the API's, which are alike, a short and a middling one."""
    packages = sorted((p for p in visited if p.startswith("api/")), key=lambda p: (site / p).stat().st_size)
    kept = {packages[0], packages[len(packages) // 2]} if packages else set()
    return [page for page in visited if page not in packages or page in kept]


@pytest.fixture(scope="session", params=["light", "dark"])
def tour(
    browser: Any,
    site: Path,
    visited: list[str],
    examined: list[str],
    axe: str,
    request: pytest.FixtureRequest,
) -> dict[str, Seen]:
    """Each page visited once in a theme, at every size: loaded wide if light, as on a phone if dark."""
    page, complaints = opened(browser, request.param, "wide")
    page.add_init_script("localStorage.clear(); sessionStorage.clear()")  # each visit is the first
    sizes = ["wide", "phone", "small"] if request.param == "light" else ["phone", "small", "wide"]
    found = {}
    for name in visited:
        page.set_viewport_size(SIZES[sizes[0]])
        visit(page, site, name)
        found[name] = look(page, sizes, axe if name in examined else "")
        found[name].complaints += complaints
        complaints.clear()
    page.context.close()
    return found


def test_pages_are_quiet_and_fit_the_screen(tour: dict[str, Seen]) -> None:
    found = {}
    for name, seen in tour.items():
        wide = [f"{width} pixels wide" for size, width in seen.widths.items() if width > SIZES[size]["width"]]
        found[name] = [*seen.complaints, *wide]
    assert all(seen.widths.keys() == SIZES.keys() for seen in tour.values())
    assert not {name: said for name, said in found.items() if said}


def test_complaints_of_a_page_are_heard(browser: Any, tmp_path: Path) -> None:
    (tmp_path / "loud.html").write_text(
        "<script>console.error('one'); console.warn('two')</script><script>throw new Error('three')</script>"
        "<img src='https://example.invalid/four.png'>"
    )
    page, complaints = opened(browser, "light", "wide")
    visit(page, tmp_path, "loud.html")
    page.context.close()
    assert {"error: one", "warning: two", "error: three"} <= set(complaints)
    assert "off-site: https://example.invalid/four.png" in complaints


def test_pages_are_accessible(tour: dict[str, Seen]) -> None:
    faults = [f"{name}: {fault}" for name, seen in tour.items() for fault in seen.faults]
    assert not faults, "\n".join(sorted(faults))


def test_axe_finds_what_is_wrong(browser: Any, axe: str) -> None:
    page, _ = opened(browser, "light", "wide")
    page.set_content("<html lang=en><title>t</title><main><h1>t</h1><img src='data:,'></main></html>")
    page.evaluate(axe)
    found = page.evaluate("axe.run(document)")["violations"]
    page.context.close()
    assert "image-alt" in {each["id"] for each in found}


def test_mathematics_is_typeset(tour: dict[str, Seen]) -> None:
    formulas = {name: seen.formulas for name, seen in tour.items() if seen.formulas["all"]}
    assert {Path(name).parent.name for name in formulas} >= {"convexity", "initialisation", "invertibility"}
    assert not {name: count for name, count in formulas.items() if count["left"] or count["wrong"]}


@pytest.mark.parametrize(
    ("term", "part"),
    [("log-determinant", "invertibility/"), ("level set", "invariances/"), ("geodesic", "invariances/")],
)
def test_a_search_finds_the_text_before_the_functions(browser: Any, site: Path, term: str, part: str) -> None:
    page, complaints = opened(browser, "light", "wide")
    page.goto((site / "search.html").as_uri() + f"?q={term}")
    page.wait_for_function("document.querySelector('#search-results > p')?.textContent.match(/found/)")
    found = page.locator("#search-results li > a").evaluate_all("all => all.map(a => a.getAttribute('href'))")
    page.context.close()
    assert found[0].startswith(part)
    kinds = ["api" if each.startswith(("api", "_modules/")) else "text" for each in found]
    assert set(kinds) == {"api", "text"}
    assert kinds == sorted(kinds, reverse=True)
    assert not complaints


def test_the_ledger_is_filtered_and_shows_a_link_s_target(browser: Any, site: Path) -> None:
    page, complaints = opened(browser, "light", "wide")
    visit(page, site, "ledger.html")
    entries, rows = page.locator(".ix-ledger > tbody"), ".ix-ledger > tbody:visible"
    everything = entries.count()
    assert page.locator(rows).count() == everything
    page.locator("select[data-key=work]").select_option("hoedt2023")
    page.locator("select[data-key=kind]").select_option("table")
    kept = page.locator(rows).evaluate_all("all => all.map(row => [row.dataset.work, row.dataset.kind])")
    assert 0 < len(kept) < everything
    assert {tuple(each) for each in kept} == {("hoedt2023", "table")}
    assert page.locator(".ix-filters-count").text_content() == f"{len(kept)} of {everything} entries"
    assert page.locator("main h2:visible").count() == 2  # of the work, and of the verdicts' meanings
    page.evaluate("location.hash = 'ledger-amos2017-fig1'")
    page.wait_for_function("!document.querySelector('.ix-ledger tbody[hidden]')")
    page.goto((site / "ledger.html").as_uri() + "?kind=claim")
    assert page.locator(rows).count() == page.locator(".ix-ledger > tbody[data-kind=claim]").count()
    page.context.close()
    assert not complaints


def test_without_scripts_the_ledger_is_whole(browser: Any, site: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "ledger.html").as_uri())
    assert page.locator(".ix-ledger > tbody:visible").count() == page.locator(".ix-ledger > tbody").count()
    assert page.locator(".ix-filters").is_hidden()
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_theme_follows_the_system_and_then_the_button(
    browser: Any, site: Path, pages: list[str], theme: str
) -> None:
    name = next(name for name in pages if 'class="ix-artefact' in (site / name).read_text())
    other = "dark" if theme == "light" else "light"
    page, complaints = opened(browser, theme, "wide")
    visit(page, site, name)
    shown, hidden = (page.locator(f".ix-artefact img.only-{each}").first for each in (theme, other))
    assert (shown.is_visible(), hidden.is_visible()) == (True, False)
    while page.evaluate("document.documentElement.dataset.theme") != other:  # auto, light, dark in turns
        page.locator(".theme-switch-button:visible").click()
    assert (shown.is_visible(), hidden.is_visible()) == (False, True)
    page.wait_for_function(f"localStorage.getItem('theme') === '{other}'")
    page.wait_for_timeout(500)  # until the browser has stored it: a reload may start another process
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == other
    page.context.close()
    assert not complaints


def test_what_is_wider_than_a_phone_is_reached_and_named(tour: dict[str, Seen]) -> None:
    kinds, faults = set(), []
    for name, seen in tour.items():
        landmarks = [label for *_, role, label in seen.boxes if role == "region"]
        for kind, reached, wide, role, label in seen.boxes:
            kinds |= {(kind, wide)}
            named = role == "group" or (role == "region" and landmarks.count(label) == 1)
            if (reached, bool(label and named)) != (wide, wide):
                faults += [f"{name}: {kind}: {role} {label}"]
    assert not faults, "\n".join(faults)
    assert kinds >= {(kind, True) for kind in BOXES} | {(".ix-scroll", False)}


def test_a_look_finds_what_is_too_wide_hidden_and_wrong(browser: Any, tmp_path: Path, axe: str) -> None:
    (tmp_path / "wrong.html").write_text(
        "<html lang=en><meta name=viewport content='width=device-width'><title>t</title><main><h1>t</h1>"
        "<img src='data:,'><div style='width: 500px; height: 9px'></div><div class=math>x</div>"
        "<div class=ix-scroll style='width: 300px; overflow: auto'><p style='width: 450px'>x</p></div></main>"
    )
    page, _ = opened(browser, "light", "wide")
    visit(page, tmp_path, "wrong.html")
    seen = look(page, list(SIZES), axe)
    page.context.close()
    assert seen.widths["wide"] == SIZES["wide"]["width"]
    assert seen.widths["phone"] > SIZES["phone"]["width"]
    assert any(fault.startswith("image-alt") for fault in seen.faults)
    assert [".ix-scroll", False, True] in [box[:3] for box in seen.boxes]
    assert seen.formulas == {"all": 1, "left": 1, "wrong": 0}


def test_a_figure_has_a_drawing_that_fits_a_phone(browser: Any, site: Path, visited: list[str]) -> None:
    page, _ = opened(browser, "light", "phone")
    found = {}
    for name in visited:
        visit(page, site, name)
        boxes = page.locator(".ix-picture:visible")
        found[name] = boxes.evaluate_all("boxes => boxes.map(box => box.scrollWidth - box.clientWidth)")
    page.context.close()
    assert sum(map(len, found.values())) > 20
    assert not {name: wide for name, wide in found.items() if any(over > 0 for over in wide)}


def shaded(box: Any) -> tuple[bool, bool]:
    """Whether a box whose contents are hidden is anything but plain along its left and its right edge."""
    drawn = Image.open(io.BytesIO(box.screenshot())).convert("RGB")
    end = drawn.height - 1  # the first and the last row may be half outside
    edges = ((0, 1, 10, end), (drawn.width - 10, 1, drawn.width, end))
    left, right = (any(low != high for low, high in drawn.crop(edge).getextrema()) for edge in edges)
    return left, right


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_box_is_shaded_on_the_side_where_it_holds_more(browser: Any, site: Path, theme: str) -> None:
    page, _ = opened(browser, theme, "phone")
    visit(page, site, "initialisation/signal-propagation.html")
    hidden = f":is({', '.join(BOXES)}) *, .bd-sidebar-secondary {{ visibility: hidden !important; }}"
    page.add_style_tag(content=hidden + "pre { color: transparent !important; border-radius: 0 !important; }")
    move = "(box, part) => box.scrollLeft = part * (box.scrollWidth - box.clientWidth)"
    seen: dict[str, list[tuple[bool, bool]]] = {kind: [] for kind in BOXES}
    for kind, shades in seen.items():
        box = page.locator(f"{kind}[tabindex='0']:visible").first
        for part in (0, 0.5, 1):
            box.evaluate(move, part)
            shades.append(shaded(box))
    page.set_viewport_size(SIZES["wide"])
    for kind, shades in seen.items():
        shades.append(shaded(page.locator(f"{kind}:visible").first))
    page.context.close()
    expected = [(False, True), (True, True), (True, False), (False, False)]  # start, middle, end; all of it
    assert seen == dict.fromkeys(BOXES, expected)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_first_column_stays_while_a_table_scrolls(browser: Any, site: Path, theme: str) -> None:
    page, _ = opened(browser, theme, "phone")
    visit(page, site, "initialisation/signal-propagation.html")
    move = (
        "(box, to) => new Promise(done => { box.scrollLeft = to;"
        " setTimeout(() => done(box.scrollLeft), 100); })"
    )
    look = (
        "(cells, box) => cells.map(cell => ["
        "cell.getBoundingClientRect().left - box.getBoundingClientRect().left,"
        " getComputedStyle(cell).backgroundColor, getComputedStyle(cell, '::before').opacity])"
    )
    box = page.locator(".ix-scroll[tabindex]").first
    cells = box.locator("tr > :first-child")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert box.evaluate(move, 500) > 0
    assert cells.evaluate_all(look, box.element_handle()) == [[0, ground, "1"]] * cells.count()
    assert box.evaluate(move, 0) == 0
    assert cells.evaluate_all(look, box.element_handle()) == [[0, ground, "0"]] * cells.count()
    page.context.close()


@pytest.mark.parametrize("size", ["phone", "wide"])
def test_the_columns_that_name_a_row_are_one_on_a_phone(browser: Any, site: Path, size: str) -> None:
    page, _ = opened(browser, "light", size)
    visit(page, site, "initialisation/learning-dynamics.html")
    table = page.locator("#hoedt2023-fig2-precision table")  # a method and the products of a row
    added = "cell => getComputedStyle(cell, '::after').content"
    names = table.locator("tbody .ix-naming")
    assert names.count() == 8
    assert [cell.is_visible() for cell in names.all()] == [size == "wide"] * 8
    shown = [cell.evaluate(added) for cell in table.locator("tbody tr > :first-child").all()]
    assert shown == (["none"] * 8 if size == "wide" else [f'"{text}"' for text in names.all_text_contents()])
    page.context.close()
