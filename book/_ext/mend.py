"""Mends what the stock theme gets wrong for screen readers, validators and folders, one function a fault."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

from bs4 import BeautifulSoup, Tag
from bs4.dammit import EntitySubstitution
from bs4.formatter import HTMLFormatter
from invex.press.cite import address

HTML = HTMLFormatter(
    entity_substitution=EntitySubstitution.substitute_xml,
    void_element_close_prefix="",
    empty_attributes_are_booleans=True,
)

SYSTEM = '(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")'


def setup(app: Any) -> dict[str, bool]:
    """Register with Sphinx."""
    app.connect("build-finished", mend_site)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def mend_site(app: Any, error: Exception | None) -> None:
    """Mend every page of a built site in place."""
    pages = [] if error else sorted(Path(app.outdir).rglob("*.html"))
    for page in pages:
        if page.relative_to(app.outdir).parts[0] not in ("_static", "static_vendor", "figures"):
            at = f"{address()}{page.relative_to(app.outdir).as_posix()}" if address() else ""
            page.write_text(fix(page.read_text(encoding="utf-8"), at), encoding="utf-8")


def fix(text: str, at: str = "") -> str:
    """Return a page with every fix applied; `at` is where it is published, as far as that is known."""
    soup = BeautifulSoup(text, "html.parser")
    introduce(soup, at)
    for mend in FIXES:
        mend(soup)
    return soup.decode(formatter=HTML)


def introduce(soup: BeautifulSoup, at: str) -> None:
    """A page that is found or shared elsewhere has its title, its first sentences and its first picture."""
    if not soup.head or not soup.title or soup.select("meta[property='og:title']"):
        return
    said = {"og:title": soup.title.get_text(strip=True), "og:type": "article", "og:url": at}
    said |= {"og:description": description(soup), "og:image": urljoin(at, picture(soup))}
    if not soup.select("meta[name=description]"):
        soup.head.append(soup.new_tag("meta", attrs={"name": "description", "content": description(soup)}))
    for name, text in said.items():
        if text:
            soup.head.append(soup.new_tag("meta", attrs={"property": name, "content": text}))


def description(soup: BeautifulSoup) -> str:
    """Return the first sentences of the text that fit into 200 characters; without any, the page's title."""
    for paragraph in soup.select("article section > p, article section p"):
        text = " ".join(re.sub(r"\\[()]", "", paragraph.get_text()).split())  # formulas without their marks
        aside = paragraph.find_parent("noscript") or paragraph.find_parent(class_=re.compile("^(cell|ix-)"))
        if len(text) > 40 and not aside:
            sentences = re.split(r"(?<=[.!?:])\s+(?=[A-Z])", text)
            fitting = [" ".join(sentences[:n]) for n in range(1, len(sentences) + 1)]
            whole = [each for each in fitting if len(each) <= 200]
            return whole[-1] if whole else f"{text[:199].rsplit(' ', 1)[0]}…"
    return soup.title.get_text(strip=True) if soup.title else ""


def picture(soup: BeautifulSoup) -> str:
    """Return the address of the first figure as a picture of pixels, or of the book's own."""
    for image in soup.select("article img.only-light[src*='figures/']"):
        return str(image["src"]).removesuffix(".light.svg") + ".png"
    icon = soup.select_one("link[rel=icon], link[rel='shortcut icon']")
    return str(icon["href"]).rpartition("/")[0] + "/page.png" if icon else ""


def drop_preloads(soup: BeautifulSoup) -> None:
    """Browsers refuse preloaded fonts of a page that was opened from a folder, and say so in the console."""
    for link in soup.select("link[rel=preload]"):
        link.decompose()


def settle_theme(soup: BeautifulSoup) -> None:
    """`auto` is a mode and no theme: until the theme's script has run, a page would show in neither."""
    for root in soup.select("html[data-theme=auto]"):
        root["data-theme"] = "light"
    for script in soup.select("head > script"):
        if script.string and "dataset.theme = " in script.string:
            script.string = script.string.replace(
                'getItem("theme") || "auto"', f'getItem("theme") || {SYSTEM}'
            )


def keep_one_viewport(soup: BeautifulSoup) -> None:
    """The theme, Sphinx and MyST each add the same element."""
    for meta in soup.select("meta[name=viewport]")[1:]:
        meta.decompose()


def make_logo_navigation(soup: BeautifulSoup) -> None:
    """The logo stands outside every landmark; the theme's script needs the sidebar to stay as it is."""
    for logo in soup.select(".bd-sidebar-primary a.navbar-brand"):
        if logo.parent:
            logo.parent.name = "nav"
            logo.parent["aria-label"] = "Front page"


def make_asides_notes(soup: BeautifulSoup) -> None:
    """A note in the margin of the text is no landmark of the page."""
    for aside in soup.select("main aside.margin"):
        aside.name = "div"
        aside["role"] = "note"


def name_folded_code(soup: BeautifulSoup) -> None:
    """A fold has a paragraph for each state inside its summary, under a label that names neither."""
    for summary in soup.select("details.hide > summary"):
        name = summary.select_one("p, span")
        if name:
            summary.string = name.get_text(strip=True)
            del summary["aria-label"]


def name_nested_pages(soup: BeautifulSoup) -> None:
    """What unfolds the pages below one in the sidebar is an icon without a name."""
    for summary in soup.select(".bd-sidebar-primary li > details > summary"):
        link = summary.parent.find_previous_sibling("a") if summary.parent else None
        if isinstance(link, Tag) and not summary.get_text(strip=True):
            name = soup.new_tag("span", **{"class": "visually-hidden"})
            name.string = f"Pages below {link.get_text(strip=True)}"
            summary.append(name)


def launch_sources(soup: BeautifulSoup) -> None:
    """The repository holds chapters as text, which Jupyter opens as notebooks; the theme links the latter."""
    for link in soup.select("a[href*='urlpath=lab/tree/'][href$='.ipynb']"):
        link["href"] = str(link["href"]).removesuffix(".ipynb") + ".md"


def flatten_source(soup: BeautifulSoup) -> None:
    """Preformatted source takes no blocks."""
    for block in soup.select("pre div.viewcode-block"):
        block.name = "span"


def fill_print_title(soup: BeautifulSoup) -> None:
    """Source listings have no title above their printed contents."""
    for heading in soup.select("#jb-print-docs-body > h1"):
        if soup.title and not heading.get_text(strip=True):
            heading.string = soup.title.get_text()


def name_page_contents(soup: BeautifulSoup) -> None:
    """The list of a page's sections is a second navigation without a name."""
    for nav in soup.select("nav.page-toc"):
        nav["aria-label"] = "On this page"


def make_bibliography_a_list(soup: BeautifulSoup) -> None:
    """A list role on plain elements around deprecated entry roles: use the elements themselves."""
    for block in soup.select("div.citation-list"):
        block.name = "ul"
        del block["role"]
        for entry in block.select("div.citation"):
            entry.name = "li"
            del entry["role"]


def drop_false_roles(soup: BeautifulSoup) -> None:
    """`main` is main by itself, and the parts in the sidebar are not headings of the page."""
    for tag in soup.select("main[role], p.caption[role=heading]"):
        del tag["role"], tag["aria-level"]


def complete_buttons(soup: BeautifulSoup) -> None:
    """Buttons made of an icon have no accessible name, and without a type they submit forms."""
    for button in soup.select("button"):
        button.attrs.setdefault("type", "button")
        title = button.get("title") or button.get("data-bs-title")
        if title and not button.get_text(strip=True):
            button.attrs.setdefault("aria-label", title)


def add_submit_buttons(soup: BeautifulSoup) -> None:
    """A search field without a button cannot be sent by everyone."""
    for form in soup.select("form"):
        if not form.select("[type=submit]"):
            button = soup.new_tag("button", type="submit", **{"class": "visually-hidden", "tabindex": "-1"})
            button.string = "Search"
            form.append(button)


def separate_search_fields(soup: BeautifulSoup) -> None:
    """The search page holds the dialogue's field a second time under the same id."""
    for field in soup.select("#search-input")[1:]:
        field["id"] = "search-page-input"


def scope_headers(soup: BeautifulSoup) -> None:
    """Say what a header cell is the header of, and make an empty one a plain cell."""
    for cell in soup.select("th"):
        if not cell.get_text(strip=True):
            cell.name = "td"
        elif "scope" not in cell.attrs:
            cell["scope"] = "col" if _within(cell, "thead") else "row"


def shorten_booleans(soup: BeautifulSoup) -> None:
    """`defer="defer"` is `defer`."""
    for tag, name in (("script", "defer"), ("details", "open")):
        for found in soup.select(f"{tag}[{name}]"):
            found[name] = ""


def _within(tag: Tag, name: str) -> bool:
    return tag.find_parent(name) is not None


FIXES = (
    drop_preloads,
    settle_theme,
    keep_one_viewport,
    make_logo_navigation,
    make_asides_notes,
    name_folded_code,
    name_nested_pages,
    launch_sources,
    flatten_source,
    fill_print_title,
    name_page_contents,
    make_bibliography_a_list,
    drop_false_roles,
    complete_buttons,
    add_submit_buttons,
    separate_search_fields,
    scope_headers,
    shorten_booleans,
)
