"""The built pages without a browser: links, anchors, cards, validity, what the front page holds."""

import json
import os
import re
import subprocess
from html import unescape
from importlib.metadata import version
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from bs4 import BeautifulSoup
from invex.lab import provenance
from invex.press import site as press_site
from invex.press.book import Book
from invex.press.verdict import VERDICTS

ROOT = Path(__file__).parents[2]
CONFIG = Path(__file__).with_name(".htmlvalidate.json")


@pytest.fixture(scope="module")
def soups(site: Path, visited: list[str]) -> dict[str, BeautifulSoup]:
    return {page: BeautifulSoup((site / page).read_text(encoding="utf-8"), "html.parser") for page in visited}


def values(text: str, name: str) -> set[str]:
    """Values of an attribute on a page; parsing all the source listings for them would take minutes."""
    return {unescape(value) for value in re.findall(rf'<[^<>]*?\s(?:{name})="([^"]*)"', text)}


def broken_links(site: Path, pages: list[str]) -> list[str]:
    texts = {page: (site / page).read_text(encoding="utf-8") for page in pages}
    anchors = {page: values(text, "id") for page, text in texts.items()}
    broken = []
    for page, text in texts.items():
        for address in values(text, "href") | values(text, "src"):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = os.path.normpath(Path(page).parent / unquote(parts.path)) if parts.path else page
            lost = not (site / target).is_file() or (
                parts.fragment and target in anchors and unquote(parts.fragment) not in anchors[target]
            )
            if lost:
                broken.append(f"{page}: {address}")
    return sorted(broken)


def test_the_tests_of_a_site_run_on_one_worker(profile: str, request: pytest.FixtureRequest) -> None:
    """On two, each would build it; pytest 9.2 lets the groups of xdist 3.8 lapse without a word."""
    if os.environ.get("PYTEST_XDIST_WORKER"):
        assert request.node.nodeid.endswith(f"@{profile}")


def test_internal_links_and_anchors_resolve(site: Path, pages: list[str]) -> None:
    assert not broken_links(site, pages)


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    links = '<a class="x" href="a.html#here" id="here">1</a><a href="a.html#gone">2</a>'
    others = '<img alt="" src="lost.png"><a href="https://elsewhere.example/#x">3</a>'
    (tmp_path / "a.html").write_text(links + others)
    assert broken_links(tmp_path, ["a.html"]) == ["a.html: a.html#gone", "a.html: lost.png"]


def test_nothing_is_loaded_from_elsewhere(soups: dict[str, BeautifulSoup]) -> None:
    loaders = "script[src], link[rel=stylesheet], link[rel=preload], img[src], iframe[src], source[src]"
    for page, soup in soups.items():
        found = [str(tag.get("src") or tag.get("href")) for tag in soup.select(loaders)]
        assert not [address for address in found if urlsplit(address).netloc], page


def test_every_figure_has_its_card_and_alt_text(soups: dict[str, BeautifulSoup]) -> None:
    figures = [figure for soup in soups.values() for figure in soup.select(".ix-artefact")]
    assert figures
    for figure in figures:
        for image in figure.select("img"):
            assert image.get("alt"), figure.get("id")
            assert image.get("width"), figure.get("id")
            assert image.get("height"), figure.get("id")
        assert len(figure.select("details.ix-card, .ix-placeholder")) == 1, figure.get("id")


def test_the_front_page_shows_scoreboard_and_a_card_a_chapter(soups: dict[str, BeautifulSoup]) -> None:
    front = soups["index.html"]
    assert front.select(".ix-scoreboard")
    chapters = {page for page, soup in soups.items() if soup.select(".ix-artefact:has(img)")}
    cards = {str(link["href"]) for link in front.select(".ix-cards a")}
    assert cards == chapters - {"performance.html"}
    assert all(card.get_text().strip() for card in front.select(".ix-card-finding"))


def test_every_figure_is_in_the_gallery(soups: dict[str, BeautifulSoup]) -> None:
    shown = {figure["id"] for soup in soups.values() for figure in soup.select(".ix-artefact:has(img)")}
    links = soups["figures.html"].select(".ix-gallery a")
    assert shown == {str(link["href"]).partition("#")[2] for link in links}


def test_the_ledger_says_what_each_verdict_means(soups: dict[str, BeautifulSoup]) -> None:
    listed = {term.get_text(): term.find_next("dd").get_text() for term in soups["ledger.html"].select("dt")}
    assert listed == VERDICTS


def test_executed_notebooks_can_be_downloaded(site: Path, soups: dict[str, BeautifulSoup]) -> None:
    notebooks = list((site / "_sources").rglob("*.ipynb"))
    assert notebooks
    for path in notebooks:
        page = path.relative_to(site / "_sources").with_suffix(".html").as_posix()
        assert any(path.name in str(link["href"]) for link in soups[page].select("a[href]")), page
        text = path.read_text(encoding="utf-8")
        assert any(cell.get("outputs") for cell in json.loads(text)["cells"]), page
        assert str(Path.home()) not in text, page


@pytest.mark.browser
def test_html_is_valid(site: Path, visited: list[str], node_modules: Path, tmp_path: Path) -> None:
    faults = invalid(site, visited, node_modules, tmp_path)
    assert not faults, "\n".join(faults[:20])


@pytest.mark.browser
def test_invalid_html_is_found(node_modules: Path, tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        "<!DOCTYPE html><html lang='en'><head><title>t</title></head><p><div></p>"
    )
    assert any("close-order" in fault for fault in invalid(tmp_path, ["a.html"], node_modules, tmp_path))


def invalid(site: Path, pages: list[str], node_modules: Path, tmp_path: Path) -> list[str]:
    script = node_modules / "html-validate" / "bin" / "html-validate.mjs"
    report = tmp_path / "report.json"
    command = ["node", str(script), "--config", str(CONFIG), "--formatter", f"json={report}"]
    subprocess.run([*command, *pages], cwd=site, capture_output=True)
    return [
        f"{Path(page['filePath']).name}:{fault['line']} {fault['ruleId']}: {fault['message']}"
        for page in json.loads(report.read_text())
        for fault in page["messages"]
    ]


def test_every_page_says_what_it_is(soups: dict[str, BeautifulSoup]) -> None:
    for page, soup in soups.items():
        (said,) = soup.select("meta[name=description]")
        assert 20 < len(str(said["content"])) <= 200, page
        (shown,) = soup.select("meta[property='og:image']")
        assert str(shown["content"]).endswith(".png"), page


def test_the_front_page_says_first_what_was_found(soups: dict[str, BeautifulSoup]) -> None:
    front = soups["index.html"]
    found = front.select(".ix-findings li")
    assert 3 <= len(found) <= 5
    assert all(each.select_one("a[href*='#']") and each.select_one("img") for each in found)
    assert front.select_one(".ix-idea img")
    small = front.select(".ix-findings img, .ix-cards img")  # drawn for a phone, so that its text is legible
    assert all(re.search(r"\.narrow\.(light|dark)\.svg$", str(each["src"])) for each in small)
    order = [front.select_one(part).sourceline for part in (".ix-findings", ".ix-cards", ".ix-scoreboard")]
    assert order == sorted(order)


def test_the_status_page_has_device_time_and_versions(soups: dict[str, BeautifulSoup], profile: str) -> None:
    chapters, made = (
        [[cell.get_text() for cell in row.select("td")] for row in table.select("tbody tr")]
        for table in soups["status.html"].select("table")
    )
    assert len(chapters) == len(Book(ROOT).chapters())
    for _, made_at, device, seconds in chapters:
        assert (made_at, device) == (profile, provenance.hardware("cpu"))
        assert float(seconds) >= 0
    assert dict(made)["torch"] == version("torch")


def test_source_is_listed_on_the_published_site_alone() -> None:
    listed = {
        name: yaml.safe_load(press_site._config(Book(ROOT), name))["sphinx"]["config"]["extensions"]
        for name in ("quick", "recorded", "paper")
    }
    assert {name for name, found in listed.items() if "sphinx.ext.viewcode" in found} == {"recorded", "paper"}


def test_launch_buttons_appear_where_a_repository_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = yaml.safe_load(press_site._config(Book(ROOT)))
    assert "binderhub_url" not in plain["launch_buttons"]
    monkeypatch.setenv("INVEX_REPOSITORY_URL", "https://github.com/someone/book")
    named = yaml.safe_load(press_site._config(Book(ROOT)))
    assert named["launch_buttons"]["binderhub_url"]
    repository = named["repository"]
    assert repository["branch"] in (ROOT / ".github" / "workflows" / "publish.yml").read_text()
    for chapter in Book(ROOT).chapters():  # what the link names, once `launch_sources` has mended it
        assert (ROOT / repository["path_to_book"] / f"{chapter}.md").is_file()
