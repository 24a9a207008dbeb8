"""The pages in headless Chromium, opened from the folder: quiet, accessible, legible on a phone."""

import io
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
DRIVER = (
    "GL Driver Message"  # a browser that draws in three dimensions without a GPU says it is slow
)


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


@pytest.mark.parametrize("size", SIZES)
def test_pages_are_quiet_and_fit_the_screen(
    browser: Any, site: Path, pages: list[str], visited: list[str], size: str
) -> None:
    page, complaints = opened(browser, "light", size)
    page.add_init_script("localStorage.clear(); sessionStorage.clear()")  # each visit is the first
    found = {}
    for name in pages if size == "wide" else visited:
        visit(page, site, name)
        width = page.evaluate("document.documentElement.scrollWidth")
        found[name] = [*complaints, *([f"{width} pixels wide"] if width > SIZES[size]["width"] else [])]
        complaints.clear()
    page.context.close()
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


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_pages_are_accessible(browser: Any, site: Path, visited: list[str], axe: str, theme: str) -> None:
    page, _ = opened(browser, theme, "wide")
    faults = set()
    for name in visited:
        visit(page, site, name)
        page.evaluate(axe)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")["violations"]
        faults |= {f"{name}: {each['id']}: {each['nodes'][0]['html'][:200]}" for each in found}
    page.context.close()
    assert not faults, "\n".join(sorted(faults))


def test_axe_finds_what_is_wrong(browser: Any, axe: str) -> None:
    page, _ = opened(browser, "light", "wide")
    page.set_content("<html lang=en><title>t</title><main><h1>t</h1><img src='data:,'></main></html>")
    page.evaluate(axe)
    found = page.evaluate("axe.run(document)")["violations"]
    page.context.close()
    assert "image-alt" in {each["id"] for each in found}


def test_mathematics_is_typeset_with_numbers_that_link(browser: Any, site: Path, pages: list[str]) -> None:
    page, complaints = opened(browser, "light", "wide")
    chapters = [name for name in pages if "tex2jax" in (site / name).read_text() and "math notranslate" in
                (site / name).read_text()]  # fmt: skip
    for name in chapters:
        visit(page, site, name)
        page.wait_for_selector("mjx-container svg")
        left = page.evaluate(
            "[...document.querySelectorAll('.math')].filter(e => !e.querySelector('svg')).length"
        )
        assert left == 0, name
        assert page.locator("[data-mjx-error]").count() == 0, name
    page.context.close()
    assert chapters
    assert not complaints


def test_search_finds_a_word_from_a_folder(browser: Any, site: Path) -> None:
    page, complaints = opened(browser, "light", "wide")
    page.goto((site / "search.html").as_uri() + "?q=ledger")
    page.wait_for_selector("#search-results li a")
    page.context.close()
    assert not complaints


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
    page.reload()
    assert page.evaluate("document.documentElement.dataset.theme") == other
    page.context.close()
    assert not complaints


def test_what_is_wider_than_a_phone_is_reached_and_named(
    browser: Any, site: Path, visited: list[str]
) -> None:
    page, _ = opened(browser, "light", "phone")
    seen, faults = set(), []
    for name in visited:
        visit(page, site, name)
        boxes = page.locator(f":is({', '.join(BOXES)})").evaluate_all(
            "(boxes, kinds) => boxes.map(box => [kinds.find(kind => box.matches(kind)), box.tabIndex === 0,"
            " box.scrollWidth > box.clientWidth, box.getAttribute('role'), box.getAttribute('aria-label')])",
            BOXES,
        )
        landmarks = [label for *_, role, label in boxes if role == "region"]
        for kind, reached, wide, role, label in boxes:
            seen |= {(kind, wide)}
            named = role == "group" or (role == "region" and landmarks.count(label) == 1)
            if (reached, bool(label and named)) != (wide, wide):
                faults += [f"{name}: {kind}: {role} {label}"]
    page.context.close()
    assert not faults, "\n".join(faults)
    assert seen >= {(kind, True) for kind in BOXES} | {(".ix-scroll", False)}


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
        " requestAnimationFrame(() => requestAnimationFrame(() => done(box.scrollLeft))); })"
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
