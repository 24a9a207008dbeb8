"""The ledger as HTML: the front page's scoreboard and gallery, and the ledger's table."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from invex.press.claims import REPRODUCED, VERDICTS
from invex.press.markup import badge, chip, expected, measured, shape, slug, typeset

if TYPE_CHECKING:
    from invex.press.ledger import Check, Entry, Ledger

WORKS = {
    "amos2017": "Amos, Xu & Kolter 2017",
    "hoedt2023": "Hoedt & Klambauer 2023",
    "nesterov2022": "Nesterov et al. 2022",
    "behrmann2019": "Behrmann 2019",
    "beyond": "Beyond the four",
    "own": "The book's own figures",
}


def scoreboard(ledger: Ledger, prefix: str) -> str:
    """Return the counts, and a sign for every artefact in source order, leading to it where it is shown."""
    key = "".join(
        f'<li class="ix-{slug(verdict)}">{shape(verdict)}<strong>{count}</strong> {verdict}</li>'
        for verdict, count in ledger.counts.items()
    )
    rows = ""
    for work, group in ledger.works.items():
        done = f"{sum(entry.verdict == REPRODUCED for entry in group)} of {len(group)}"
        signs = f'<ul class="ix-signs">{"".join(_sign(entry, prefix) for entry in group)}</ul>'
        name = f'<th scope="row">{escape(WORKS.get(work, work))}</th>'
        rows += f'<tr>{name}<td class="ix-num">{done}</td><td>{signs}</td></tr>'
    head = (
        '<th scope="col">Source</th><th scope="col" class="ix-num">Reproduced</th>'
        '<th scope="col">Each figure, table and claim</th>'
    )
    table = f'<table class="ix-table"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>'
    return (
        f'<div class="ix-scoreboard"><ul class="ix-key">{key}</ul><div class="ix-scroll">{table}</div></div>'
    )


def _sign(entry: Entry, prefix: str) -> str:
    known = entry.artefact
    name = escape(f"{known.source} {known.title} ({entry.verdict})".lstrip())
    inner = f'{shape(entry.verdict)}<span class="ix-hidden">{name}</span>'
    if entry.on_page:
        inner = f'<a href="{_address(entry, prefix)}" title="{name}">{inner}</a>'
    else:
        inner = f'<span title="{name}">{inner}</span>'
    return f'<li class="ix-{slug(entry.verdict)}">{inner}</li>'


def _address(entry: Entry, prefix: str) -> str:
    return f"{prefix}{entry.artefact.chapter}.html#{entry.artefact.id}"


def gallery(ledger: Ledger, prefix: str) -> str:
    """Return the thumbnails of all figures that are drawn."""
    drawn = [entry for entry in ledger.entries if entry.drawn and entry.shown["size"]]
    drawn.sort(key=lambda entry: [int(part) for part in entry.artefact.number.split(".")])
    items = "".join(_thumbnail(entry, ledger.verdict_beside(entry), prefix) for entry in drawn)
    return f'<ul class="ix-gallery">{items}</ul>'


def _thumbnail(entry: Entry, verdict: str, prefix: str) -> str:
    known = entry.artefact
    size = 'width="{}" height="{}"'.format(*entry.shown["size"])
    file = f"{prefix}figures/{known.id}/{known.id}"
    images = "".join(
        f'<img class="only-{theme}" src="{file}.{theme}.svg" {size} alt="" loading="lazy">'
        for theme in ("light", "dark")
    )
    label = f'<span class="ix-number">{known.label}</span> {escape(known.title)}'
    link = f'<a href="{_address(entry, prefix)}"><span class="ix-thumbnail">{images}</span>{label}</a>'
    return f"<li>{link} {chip(verdict) if verdict else ''}</li>"


def verdicts() -> str:
    """Return what each verdict means, a line each."""
    lines = "".join(f"<dt>{chip(verdict)}</dt><dd>{meaning}</dd>" for verdict, meaning in VERDICTS.items())
    return f'<dl class="ix-verdicts">{lines}</dl>'


def table(ledger: Ledger, prefix: str) -> str:
    """Return a table a source: each artefact, and below it each claim, the paper's figure beside ours."""
    head = "".join(f'<th scope="col">{name}</th>' for name in ("What", "Paper", "Here", "Verdict"))
    tables = ""
    own = [entry for entry in ledger.entries if not entry.artefact.listed]
    for work, group in (ledger.works | ({"own": own} if own else {})).items():
        caption = f"<caption>{escape(WORKS.get(work, work))}</caption>"
        rows = "".join(_rows(entry, prefix) for entry in group)
        inner = f"{caption}<thead><tr>{head}</tr></thead>{rows}"
        tables += f'<div class="ix-scroll"><table class="ix-table ix-ledger">{inner}</table></div>'
    return tables


def _rows(entry: Entry, prefix: str) -> str:
    known = entry.artefact
    where = f' <a href="{_address(entry, prefix)}">{known.label}</a>' if entry.on_page else ""
    runs = badge(entry.shown.get("partial", ""), "partial")
    runs += badge("stale" if entry.shown.get("stale") else "", "stale")
    what = f"<strong>{escape(known.source)}</strong> {typeset(escape(known.title))}{where} {runs}"
    verdict = chip(entry.verdict) if known.listed or entry.checks else ""
    top = f'<th scope="rowgroup" colspan="3">{what}</th><td>{verdict}</td>'
    checks = "".join(_check_row(check) for check in entry.checks)
    return f'<tbody id="ledger-{known.id}"><tr class="ix-row">{top}</tr>{checks}</tbody>'


def _check_row(check: Check) -> str:
    here = measured(check.claim, check.result) if check.result else ""
    cause = f'<span class="ix-cause">{escape(check.cause)}</span>' if check.cause else ""
    reason = f' title="{escape(check.claim.reason)}"' if check.claim.reason else ""
    paper = expected(check.claim) if check.claim.kind != "trend" else ""
    cells = f"<td>{typeset(escape(check.claim.what))}{cause}</td><td{reason}>{paper}</td><td>{here}</td>"
    return f"<tr>{cells}<td>{chip(check.verdict)}</td></tr>"
