"""The built pages without a browser: links, anchors, cards, validity, what the front page holds."""

import json
import os
import subprocess
from collections.abc import Iterator
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
def soups(site: Path, pages: list[str]) -> dict[str, BeautifulSoup]:
    return {page: BeautifulSoup((site / page).read_text(encoding="utf-8"), "html.parser") for page in pages}


def addresses(soup: BeautifulSoup) -> Iterator[str]:
    for tag in soup.select("[href], [src]"):
        yield str(tag.get("href") or tag.get("src"))


def test_internal_links_and_anchors_resolve(site: Path, soups: dict[str, BeautifulSoup]) -> None:
    anchors = {page: {str(tag["id"]) for tag in soup.select("[id]")} for page, soup in soups.items()}
    broken = []
    for page, soup in soups.items():
        for address in addresses(soup):
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = os.path.normpath(Path(page).parent / unquote(parts.path)) if parts.path else page
            lost = not (site / target).is_file() or (
                parts.fragment and target in anchors and unquote(parts.fragment) not in anchors[target]
            )
            if lost:
                broken.append(f"{page}: {address}")
    assert not broken


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
        assert any(path.name in address for address in addresses(soups[page])), page
        text = path.read_text(encoding="utf-8")
        assert any(cell.get("outputs") for cell in json.loads(text)["cells"]), page
        assert str(Path.home()) not in text, page


@pytest.mark.browser
def test_html_is_valid(site: Path, pages: list[str], node_modules: Path, tmp_path: Path) -> None:
    script = node_modules / "html-validate" / "bin" / "html-validate.mjs"
    report = tmp_path / "report.json"
    command = ["node", str(script), "--config", str(CONFIG), "--formatter", f"json={report}"]
    subprocess.run([*command, *pages], cwd=site, capture_output=True)
    faults = [
        f"{Path(page['filePath']).name}:{fault['line']} {fault['ruleId']}: {fault['message']}"
        for page in json.loads(report.read_text())
        for fault in page["messages"]
    ]
    assert not faults, "\n".join(faults[:20])


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
