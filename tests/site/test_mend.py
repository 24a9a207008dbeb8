"""Each mended fault of the stock theme: the fault as the theme writes it, and what is left of it."""

import runpy
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

MEND = runpy.run_path(str(Path(__file__).parents[2] / "book" / "_ext" / "mend.py"))

FAULTS = {
    "drop_preloads": ('<link rel="preload" href="f.woff2" crossorigin>', ""),
    "settle_theme": (
        '<html data-theme="auto"><head><script>a.dataset.theme = b.getItem("theme") || "auto"</script></head>'
        "</html>",
        '<html data-theme="light"><head><script>a.dataset.theme = b.getItem("theme") || '
        '(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")</script></head></html>',
    ),
    "keep_one_viewport": ('<meta name="viewport"><meta name="viewport">', '<meta name="viewport">'),
    "make_logo_navigation": (
        '<div class="bd-sidebar-primary"><div><a class="navbar-brand">b</a></div></div>',
        '<div class="bd-sidebar-primary">'
        '<nav aria-label="Front page"><a class="navbar-brand">b</a></nav></div>',
    ),
    "name_page_contents": (
        '<nav class="page-toc"></nav>',
        '<nav class="page-toc" aria-label="On this page"></nav>',
    ),
    "make_asides_notes": (
        '<main><aside class="margin">a</aside></main>',
        '<main><div class="margin" role="note">a</div></main>',
    ),
    "name_folded_code": (
        '<details class="hide"><summary aria-label="Toggle"><p>Draw</p><p>Draw</p></summary></details>',
        '<details class="hide"><summary>Draw</summary></details>',
    ),
    "name_nested_pages": (
        '<div class="bd-sidebar-primary"><li><a>A</a><details><summary></summary></details></li></div>',
        '<div class="bd-sidebar-primary"><li><a>A</a><details><summary>'
        '<span class="visually-hidden">Pages below A</span></summary></details></li></div>',
    ),
    "launch_sources": (
        '<a href="https://b/v2/gh/o/r/main?urlpath=lab/tree/book/a.ipynb">Binder</a>',
        '<a href="https://b/v2/gh/o/r/main?urlpath=lab/tree/book/a.md">Binder</a>',
    ),
    "flatten_source": (
        '<pre><div class="viewcode-block">x</div></pre>',
        '<pre><span class="viewcode-block">x</span></pre>',
    ),
    "fill_print_title": (
        '<title>t</title><div id="jb-print-docs-body"><h1></h1></div>',
        '<title>t</title><div id="jb-print-docs-body"><h1>t</h1></div>',
    ),
    "make_bibliography_a_list": (
        '<div class="citation-list" role="list"><div class="citation" role="doc-biblioentry">c</div></div>',
        '<ul class="citation-list"><li class="citation">c</li></ul>',
    ),
    "drop_false_roles": (
        '<main role="main"></main><p class="caption" role="heading" aria-level="2">c</p>',
        '<main></main><p class="caption">c</p>',
    ),
    "complete_buttons": (
        '<button title="Open"><span></span></button>',
        '<button title="Open" type="button" aria-label="Open"><span></span></button>',
    ),
    "add_submit_buttons": (
        "<form></form>",
        '<form><button type="submit" class="visually-hidden" tabindex="-1">Search</button></form>',
    ),
    "separate_search_fields": (
        '<input id="search-input"><input id="search-input">',
        '<input id="search-input"><input id="search-page-input">',
    ),
    "scope_headers": (
        "<table><thead><tr><th></th><th>a</th></tr></thead><tbody><tr><th>b</th></tr></tbody></table>",
        '<table><thead><tr><td></td><th scope="col">a</th></tr></thead>'
        '<tbody><tr><th scope="row">b</th></tr></tbody></table>',
    ),
    "shorten_booleans": (
        '<script defer="defer" src="a"></script><details open="open"></details>',
        '<script defer="" src="a"></script><details open=""></details>',
    ),
}


@pytest.mark.parametrize("mend", MEND["FIXES"], ids=lambda mend: mend.__name__)
def test_fault_is_mended_and_stays_mended(mend) -> None:
    fault, mended = FAULTS[mend.__name__]
    soup = BeautifulSoup(fault, "html.parser")
    mend(soup)
    assert soup == BeautifulSoup(mended, "html.parser")
    mend(soup)
    assert soup == BeautifulSoup(mended, "html.parser")


def test_scripts_and_entities_survive() -> None:
    text = "<script>if (a && b < c) { d(); }</script><p>a &amp; b</p><br><input disabled>"
    assert MEND["fix"](text) == text


PAGE = (
    "<html><head><title>One valley</title><link href='../_static/logo.svg' rel='icon'></head><body><article>"
    "<section><div class='ix-header'><p>Source: a paper that has been read and read again by all.</p></div>"
    "<p>Why would anyone want this? Because a valley has one floor. {more}</p></section>{figure}</article>"
    "</body></html>"
)
FIGURE = "<img class='only-light' src='../figures/a/a.light.svg'>"


def introduced(at: str = "", figure: str = FIGURE, more: str = "") -> dict[str, str]:
    soup = BeautifulSoup(PAGE.format(figure=figure, more=more), "html.parser")
    for _ in range(2):  # once is as good as twice
        MEND["introduce"](soup, at)
    metas = soup.select("meta")
    assert len(metas) == len({meta.get("property") or meta.get("name") for meta in metas})
    return {str(meta.get("property") or meta.get("name")): str(meta["content"]) for meta in metas}


def test_a_page_says_what_it_is_and_shows_its_first_figure() -> None:
    said = introduced("https://book.example/part/one.html", more="And more. " * 30)
    assert said["description"].startswith("Why would anyone want this? Because a valley has one floor. And")
    assert len(said["description"]) <= 200
    assert said["og:description"] == said["description"]
    assert said["og:title"] == "One valley"
    assert said["og:image"] == "https://book.example/figures/a/a.png"
    assert said["og:url"] == "https://book.example/part/one.html"


def test_without_an_address_or_a_figure_a_page_has_the_books_picture() -> None:
    said = introduced(figure="")
    assert said["og:image"] == "../_static/page.png"
    assert "og:url" not in said
