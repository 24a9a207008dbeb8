import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup
from invex.charts import style
from invex.charts.style import INK, darken
from invex.lab import costs
from invex.lab.errors import Refused
from invex.lab.provenance import hardware
from invex.lab.records import Record
from invex.press.book import Book
from invex.press.card import Html, Interactive
from invex.press.chapter import Chapter
from invex.press.markup import QUICK_LABEL, TIMES
from invex.press.records_view import Records
from matplotlib.figure import Figure


def draw() -> Figure:
    figure, axes = plt.subplots()
    axes.plot([0, 1], [0, 1 / 3], label="ICNN")
    axes.set(xlabel=r"step, $\mu_w^2$")
    return figure


def soup(shown: Html) -> BeautifulSoup:
    return BeautifulSoup(shown._repr_html_(), "html.parser")


def figure(chapter: Chapter, data: pd.DataFrame, **more: object) -> BeautifulSoup:
    words = {"alt": "It rises to a third.", "caption": "It rises.", "sources": ["digits"]} | more
    return soup(chapter.figure("known2020-fig1", draw, data=data, **words))


def test_a_figure_carries_number_caption_alt_and_size(chapter: Chapter, line: pd.DataFrame) -> None:
    found = figure(chapter, line)
    assert found.div["id"] == "known2020-fig1"
    assert found.figcaption.get_text().startswith("Figure 1.1 It rises.")
    assert [(i["alt"], i["class"]) for i in found.select("img")] == [
        ("It rises to a third.", ["only-light"]), ("It rises to a third.", ["only-dark"])
    ]  # fmt: skip
    assert all(int(image["width"]) == pytest.approx(672, abs=8) for image in found.select("img"))


def test_every_link_of_the_card_leads_to_a_file(chapter: Chapter, line: pd.DataFrame, made: Path) -> None:
    found = figure(chapter, line)
    links = {a.get_text(): a["href"] for a in found.select("dd > a")}
    assert list(links) == ["CSV", "SVG", "PDF", "PNG"]
    folder = made / "recorded" / "part" / "tiny"
    for address in [*links.values(), *(image["src"] for image in found.select("img"))]:
        assert address.startswith("../figures/known2020-fig1/")
        assert (folder / address.removeprefix("../figures/")).is_file()


def test_several_tables_are_linked_by_name(chapter: Chapter, line: pd.DataFrame) -> None:
    shown = soup(chapter.figure("own-cost", draw, data={"a": line, "b": line}, alt="x", caption="y"))
    assert [a.get_text() for a in shown.select("dd > a")][:2] == ["CSV (a)", "CSV (b)"]


def test_the_card_says_how_to_redraw_cite_and_where_it_comes_from(
    chapter: Chapter, line: pd.DataFrame
) -> None:
    terms = {dt.get_text(): dt.find_next("dd").get_text() for dt in figure(chapter, line).select("dt")}
    assert terms["Redraw"].startswith("invex run part/tiny --profile recorded -p seed=0")
    for key in ("@article{known2020,", "@misc{invex-known2020-fig1,", "@misc{digits1998,"):
        assert key in terms["Cite"]
    assert (terms["Profile"], terms["Seeds"], terms["Data"]) == ("recorded", "0", "digits")
    assert "torch" in terms["Versions"]


def test_the_manifest_lists_the_files_by_their_hash(chapter: Chapter, line: pd.DataFrame, made: Path) -> None:
    figure(chapter, line)
    folder = made / "recorded" / "part" / "tiny" / "known2020-fig1"
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["files"]) | {"manifest.json"} == {path.name for path in folder.iterdir()}
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest


def test_the_same_data_give_the_same_bytes(chapter: Chapter, line: pd.DataFrame, made: Path) -> None:
    path = made / "recorded" / "part" / "tiny" / "known2020-fig1" / "manifest.json"
    figure(chapter, line)
    first = json.loads(path.read_text())["files"]
    figure(chapter, line)
    assert json.loads(path.read_text())["files"] == first


def test_the_dark_picture_differs_in_colours_only(chapter: Chapter, line: pd.DataFrame, made: Path) -> None:
    figure(chapter, line)
    folder = made / "recorded" / "part" / "tiny" / "known2020-fig1"
    light, dark = ((folder / f"known2020-fig1.{theme}.svg").read_text() for theme in ("light", "dark"))
    assert INK in light
    assert INK not in dark
    assert dark == darken(light)


def test_the_data_are_read_back_as_they_were(chapter: Chapter, line: pd.DataFrame, made: Path) -> None:
    figure(chapter, line)
    path = made / "recorded" / "part" / "tiny" / "known2020-fig1" / "known2020-fig1.csv"
    pd.testing.assert_frame_equal(pd.read_csv(path), line, rtol=1e-8)


def test_captions_may_be_computed_after_drawing(chapter: Chapter, line: pd.DataFrame) -> None:
    found = figure(chapter, line, caption=lambda: f"Ends at {-1e-7:.0e}, <3", alt=lambda: "computed")
    assert f"Ends at \N{MINUS SIGN}1{TIMES}10⁻⁷, <3" in found.figcaption.get_text()
    assert found.img["alt"] == "computed"


def test_quick_is_said_in_the_picture_and_beside_it(book: Book, line: pd.DataFrame, made: Path) -> None:
    quick = Chapter("part/tiny", profile="quick", device="cpu")
    assert found_badges(figure(quick, line)) == [QUICK_LABEL]
    drawn = (made / "quick" / "part" / "tiny" / "known2020-fig1" / "known2020-fig1.light.svg").read_text()
    assert QUICK_LABEL in drawn
    quick.result("known2020-fig1/slope", 0.5)
    assert "quick" in quick.checks()._repr_html_()


def found_badges(shown: BeautifulSoup) -> list[str]:
    return [badge.get_text() for badge in shown.select(".ix-badge")]


def test_an_interactive_keeps_the_picture_as_fallback(chapter: Chapter, line: pd.DataFrame) -> None:
    found = figure(chapter, line, interactive=Interactive("pointer.js", {"text": "</script>", "n": [1, 2]}))
    assert found.select_one(".ix-static img")
    assert [s.get("src") for s in found.select("script")] == [None, "../interactives/pointer.js"]
    box = found.select_one(".ix-interactive")
    assert json.loads(found.select_one(f"#{box['data-json']}").string) == {"text": "</script>", "n": [1, 2]}


def test_outside_the_book_the_picture_is_in_the_notebook(
    book: Book, line: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("INVEX_ARTEFACTS")
    found = figure(Chapter("part/tiny", device="cpu"), line, interactive=Interactive("pointer.js", {}))
    assert [image["src"][:22] for image in found.select("img")] == ["data:image/png;base64,"]
    assert not found.select("script")
    assert (book.artefacts / "interactive" / "recorded" / "part" / "tiny" / "results.json").is_file()


def test_ids_on_a_page_are_unique(chapter: Chapter, line: pd.DataFrame) -> None:
    page = [chapter.header(), chapter.table("known2020-tab1", line, caption="x")]
    page += [
        chapter.figure(name, draw, data=line, alt="a", caption="c") for name in ("known2020-fig1", "own-cost")
    ]
    chapter.result("known2020-fig1/slope", 0.5)
    chapter.result("known2020-thm1/violations", 0)
    page.append(chapter.checks())
    ids = [tag["id"] for part in page for tag in soup(part).select("[id]")]
    assert len(ids) == len(set(ids))
    assert {"known2020-fig1", "known2020-tab1", "known2020-fig1--slope"} <= set(ids)


def test_a_result_shows_value_interval_paper_and_verdict(chapter: Chapter, made: Path) -> None:
    chapter.result("known2020-fig1/slope", np.float32(0.4967), low=0.491, high=0.503, n=10, note="why")
    row = soup(chapter.checks()).select_one("tr#known2020-fig1--slope")
    cells = [" ".join(cell.get_text().split()) for cell in row.select("td")]
    assert cells == ["Slope", "text: 0.5; allowed ± 0.02", "0.497 [0.491, 0.503], n = 10", "reproduced"]
    assert row.select_one("a")["href"] == "../ledger.html#ledger-known2020-fig1"
    assert not chapter.checks().text  # each result is shown once
    saved = json.loads((made / "recorded" / "part" / "tiny" / "results.json").read_text())
    assert saved["results"]["known2020-fig1/slope"]["n"] == 10


def test_a_result_says_where_its_claim_stands_and_at_which_scale(
    chapter: Chapter, line: pd.DataFrame
) -> None:
    runs = Records(
        "walk", [Record("walk", {"seed": 0}, "", "reduced", {}, {}, None, {})], [], reduced="5 epochs"
    )
    chapter.figure("known2020-fig1", draw, data=line, alt="a", caption="c", records=runs)
    chapter.result("known2020-fig1/slope", 0.5)
    chapter.result("known2020-thm1/violations", 0, records=runs)
    rows = soup(chapter.checks()).select("tbody tr")
    cells = [[" ".join(cell.get_text().split()) for cell in row.select("td")] for row in rows]
    assert cells[0][-1] == cells[1][-1] == "reproduced, reduced scale"
    assert cells[1][1] == "theory: holds if ≤ 0"


def test_the_first_result_of_a_check_carries_its_number_and_address(chapter: Chapter) -> None:
    shown = []
    for _ in range(2):
        chapter.result("known2020-thm1/violations", 0)
        shown.append(soup(chapter.checks()))
    first, again = shown
    assert first.select_one("a#known2020-thm1").get_text() == "Check 1.1"
    assert not again.select("a.ix-number")


def test_a_wrong_result_is_called_different(chapter: Chapter) -> None:
    chapter.result("known2020-fig1/slope", 0.53)
    assert "differs" in soup(chapter.checks()).get_text()


def test_unknown_names_are_refused_with_those_that_exist(chapter: Chapter, line: pd.DataFrame) -> None:
    with pytest.raises(Refused, match="no artefact 'fig9'; there are known2020-fig1, known2020-tab1"):
        chapter.figure("fig9", draw, data=line, alt="", caption="")
    with pytest.raises(Refused, match="there are known2020-fig1/slope"):
        chapter.result("known2020-fig1/slop", 1.0)
    with pytest.raises(Refused, match="no chapter 'part/big'"):
        Chapter("part/big")
    with pytest.raises(Refused, match="no profile 'fast'"):
        Chapter("part/tiny", profile="fast")


def test_the_header_names_source_data_and_command(chapter: Chapter) -> None:
    text = soup(chapter.header()).get_text(" ")
    for part in ("Known, Müller: A Known Work (2020)", "digits", "invex run part/tiny"):
        assert part in text


def test_the_header_states_measured_costs_only(book: Book, experiment: str, rewrite: Any) -> None:
    rewrite(experiments=[experiment])
    before = soup(Chapter("part/tiny", device="cpu").header()).get_text(" ")
    assert "quick not measured, recorded not measured, paper not measured" in before
    assert f"and the runs of {experiment}: 6 runs not measured" in before
    book.records.mkdir()
    costs.note(book.records, [("part/tiny", "quick", 6.2), ("part/other", "paper", 1.0)])
    after = soup(Chapter("part/tiny", device="cpu").header()).get_text(" ")
    assert "quick 6 s, recorded not measured, paper not measured" in after
    assert f"(on {hardware('cpu')})" in after


def test_glued_numbers_are_typeset_for_prose(chapter: Chapter, monkeypatch: pytest.MonkeyPatch) -> None:
    published: list[tuple[dict[str, str], dict[str, dict[str, str]]]] = []
    monkeypatch.setattr(
        "IPython.display.publish_display_data", lambda *arguments: published.append(arguments)
    )
    chapter.glue("loss", -1.5e-7)
    data, metadata = published[0]
    assert data == {"application/papermill.record/text/plain": f"'\N{MINUS SIGN}1.5{TIMES}10⁻⁷'"}
    assert metadata["scrapbook"]["name"] == "loss"


def test_the_command_line_does_not_wait_for_matplotlib() -> None:
    code = "import sys, invex.press.cli; print({'matplotlib', 'torch', 'pandas'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_phone_has_a_drawing_of_its_own_where_the_chart_follows_the_width(
    chapter: Chapter, line: pd.DataFrame, made: Path
) -> None:
    def follows() -> Figure:
        drawn, panels = style.panels(2)
        assert len(panels) == 2
        return drawn

    def keeps() -> Figure:
        return plt.figure(figsize=(7.0, 3.0))

    folder = made / "recorded" / "part" / "tiny" / "known2020-fig1"
    for draw_it, own in ((follows, True), (keeps, False)):
        shown = chapter.figure("known2020-fig1", draw_it, data=line, alt="a", caption="c")
        assert bool(soup(shown).select("source")) == own
        assert (folder / "known2020-fig1.narrow.dark.svg").exists() == own
        assert "narrow" not in soup(shown).select_one(".ix-card").get_text()
