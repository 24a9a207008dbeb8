"""`Chapter`: what a notebook of the book calls to show figures, tables and results."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import pandas as pd
from matplotlib.figure import Figure

from invex.charts import style
from invex.lab import closure, costs, provenance
from invex.lab.errors import one_of
from invex.lab.profiles import PROFILES
from invex.lab.records import Record, Store
from invex.press import artefact as files
from invex.press import card, cite, claims, ledger, parameters, records_view
from invex.press.artefact import Manifest
from invex.press.book import Book
from invex.press.card import Html, Interactive
from invex.press.markup import html, typeset
from invex.press.records_view import Records

__all__ = ["Chapter", "Interactive"]

Text = str | Callable[[], str]
Data: TypeAlias = pd.DataFrame | Mapping[str, pd.DataFrame]


class Chapter:
    """One chapter while it executes.

    Args:
        name: its path in the book without suffix, ``initialisation/signal-propagation``.
        profile: ``quick``, ``recorded`` or ``paper``.
        seed: of everything that is computed here.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        Refused: no data lie beside a chapter of that name, or there is no such profile or device.
    """

    def __init__(self, name: str, *, profile: str = "recorded", seed: int = 0, device: str = "auto") -> None:
        self.name, self.profile, self.seed = name, one_of(PROFILES, "profile", profile), seed
        self.quick = profile == "quick"
        self._catalogue = claims.load(Book.find())
        self._data = self._catalogue.chapters[one_of(self._catalogue.chapters, "chapter", name)]
        made = os.environ.get("INVEX_ARTEFACTS")
        self._in_book = made is not None
        self._folder = Path(made or self._catalogue.book.artefacts / "interactive") / profile / name
        self._root = "../" * name.count("/")
        self.device = provenance.resolve(device)  # by torch's name
        made_on = {"profile": profile, "device": provenance.hardware(self.device)}
        self._unseen: list[str] = []  # claims with a result that no table of checks shows yet
        self._seen: set[str] = set()  # artefacts that such a table has shown
        self._shown: dict[str, Any] = {"chapter": name, **made_on, "artefacts": {}, "results": {}}

    def header(self) -> Html:
        """Show what the chapter is made from, what a rerun costs at each profile, and its command."""
        book = self._catalogue.book
        work = cite.entries(book).get(self._data.work)
        source, data = cite.reading(work) if work else "", ", ".join(self._data.data)
        cost = costs.stated(Store(book.records), self.name, self._data.experiments)
        return Html(html("card", "header", source, data, cost, self._command))

    def figure(
        self,
        id: str,
        draw: Callable[[], Figure],
        *,
        data: Data,
        alt: Text,
        caption: Text,
        records: Records | None = None,
        sources: Sequence[str] = (),
        wide: bool = False,
        interactive: Interactive | None = None,
    ) -> Html:
        """Draw a figure under the house style, write its files, and show it with its card.

        Args:
            id: of an artefact declared beside the chapter; permanent, it is the figure's address.
            draw: called without arguments, once for a wide page and once for a phone; returns a matplotlib
                figure of the width that `style.width` says.
            data: what is drawn, a frame or named frames, offered as CSV.
            alt: the finding in words, for those who do not see it; a function is called after `draw`.
            caption: the finding first, then the set-up; a function is called after `draw`.
            records: the runs drawn, if any; without runs, a placeholder stands there and nothing is drawn.
            sources: names of the data sets behind it.
            wide: take the margin as well.
            interactive: shown instead of the picture where scripts run.
        """
        manifest = self._manifest(id, records, sources)
        if manifest.placeholder:
            return self._missing(manifest, records)
        folder = self._folder / id
        with style.house(style.NARROW):  # first, as a caption may be that of the drawing done last
            narrow = files.save_narrow(draw(), folder, id, quick=self.quick)
        with style.house(style.WIDE if wide else style.WIDTH):
            size = files.save_figure(draw(), folder, id, quick=self.quick)
        manifest = replace(manifest, caption=_text(caption), alt=_text(alt), size=size, narrow=narrow)
        if not self._in_book:
            return self._keep(manifest, data, card.embedded(manifest, folder))
        body = html("card", "picture", manifest, self._address(id))
        if interactive is not None:
            body = card.interactive(interactive, body, id, self._root)
        return self._keep(manifest, data, body, wide=wide)

    def table(
        self,
        id: str,
        frame: pd.DataFrame,
        *,
        caption: Text,
        records: Records | None = None,
        sources: Sequence[str] = (),
        digits: int | Mapping[str, int] | None = None,
        best: Mapping[str, str] | None = None,
    ) -> Html:
        """Show a table with its card; arguments as of `figure` and `card.table`."""
        manifest = self._manifest(id, records, sources)
        if manifest.placeholder:
            return self._missing(manifest, records)
        return self._keep(replace(manifest, caption=_text(caption)), frame, card.table(frame, digits, best))

    def result(
        self,
        claim_id: str,
        value: Any,
        *,
        low: float | None = None,
        high: float | None = None,
        n: int | None = None,
        note: str | None = None,
        records: Records | None = None,
    ) -> None:
        """Register a measured value for a claim; `checks` shows it beside the paper's with its verdict.

        Args:
            claim_id: of a claim declared beside the chapter.
            value: a number, true or false, a mapping of numbers; of an order names, best first, or each
                name's number with its interval, `{"ICNN": (value, low, high)}`.
            low: lower end of its confidence interval; the verdict is open where that holds both answers.
            high: upper end.
            n: number of repetitions behind it; one decides nothing about training.
            note: the cause, where it differs.
            records: the runs behind it, where the artefact itself draws none: their scale is said.
        """
        one_of(self._data.claims, "claim", claim_id)
        scale = records.reduced if records else ""
        measured = {"value": value, "low": low, "high": high, "n": n, "note": note, "reduced": scale}
        self._shown["results"][claim_id] = files.plain(measured)
        self._unseen.append(claim_id)
        self._save()

    def checks(self) -> Html:
        """Show the results registered since the last call as one small table: what, source, here, verdict."""
        rows = [self._row(claim_id) for claim_id in dict.fromkeys(self._unseen)]
        self._seen |= {self._data.claims[claim_id].artefact for claim_id in self._unseen}
        self._unseen.clear()
        return Html(html("card", "checks", rows, self._root) if rows else "")

    def _row(self, claim_id: str) -> dict[str, Any]:
        """Return a row of `checks`; the first of a check has its number, which is its address."""
        claim, result = self._data.claims[claim_id], self._shown["results"][claim_id]
        known = self._data.artefacts[claim.artefact]
        first = claim_id == next(n for n in self._unseen if self._data.claims[n].artefact == known.id)
        numbered = known.kind == "claim" and known.id not in self._seen and first
        reduced = self._shown["artefacts"].get(known.id, {}).get("reduced", "")
        found = ledger.check(claim, result, self.profile, reduced)
        return {
            "claim": claim, "result": result, "label": found.label, "number": known.label if numbered else ""
        }  # fmt: skip

    def glue(self, name: str, value: Any, fmt: str = "{:.3g}") -> None:
        """Keep a computed value for the prose, where ``{glue:text}`` with this name writes it."""
        from IPython.display import publish_display_data

        text = value if isinstance(value, str) else typeset(fmt.format(value))
        kind = "application/papermill.record/"
        metadata = {"scrapbook": {"name": name, "mime_prefix": kind}}
        publish_display_data({f"{kind}text/plain": f"'{text}'"}, metadata)

    def records(self, experiment: str, *, per: Sequence[str] = (), **equals: Any) -> Records:
        """Return the recorded runs of an experiment whose configurations have these values.

        They are of the largest scale that is recorded; with ``per``, fields such as ``("dataset",)``, of the
        largest for each of their values. Under ``quick`` its quick configurations run here; under ``paper``
        what is missing is recorded first.
        """
        folder = self._catalogue.book.records
        if self.quick:
            return records_view.live(experiment, equals, self.device)
        if self.profile == "paper":
            records_view.complete(folder, experiment, equals, self.device)
        return records_view.recorded(folder, experiment, equals, per)

    @property
    def _command(self) -> str:
        return f"invex run {self.name} --profile {self.profile} -p seed={self.seed}"

    def _manifest(self, id: str, records: Records | None, sources: Sequence[str]) -> Manifest:
        """Return what is known of an artefact before it is drawn, and empty its folder."""
        known = self._data.artefacts[one_of(self._data.artefacts, "artefact", id)]
        files.fresh(self._folder / id)
        what = known.kind, known.label, known.title, self.name, self.profile, self._command, self.quick
        if records is not None and records.empty:
            missing = f"{known.title}: not attempted, no run of {records.experiment} is recorded."
            return Manifest(id, *what, caption=missing, placeholder=True)
        drawn = records or Records("", [], [])
        made = self._made(sources, drawn.runs) | drawn.replays
        return Manifest(
            id, *what, sources=list(sources), partial=drawn.partial, reduced=drawn.reduced,
            stale=list(drawn.stale), differs=drawn.differs, provenance=made,
        )  # fmt: skip

    def _missing(self, manifest: Manifest, records: Records | None) -> Html:
        self._register(manifest)
        body = html("card", "placeholder", records.command if records else "")
        return card.artefact(manifest, body, "", "")

    def _keep(self, manifest: Manifest, data: Data, body: str, wide: bool = False) -> Html:
        """Write what lies beside the picture, and show the whole."""
        id, folder = manifest.id, self._folder / manifest.id
        files.save_data(data, folder, id)
        version = ", ".join(filter(None, [f"profile {self.profile}", manifest.provenance.get("commit")]))
        bibtex = cite.bibtex(self._catalogue, id, manifest.sources, version=version)
        (folder / f"{id}.bib").write_text(bibtex, encoding="utf-8")
        manifest = replace(manifest, files=files.hashes(folder))
        self._register(manifest)
        return card.artefact(manifest, body, bibtex, self._address(id), wide=wide)

    def _register(self, manifest: Manifest) -> None:
        files.save_json(self._folder / manifest.id / "manifest.json", vars(manifest))
        self._shown["artefacts"][manifest.id] = vars(manifest)
        self._save()

    def _save(self) -> None:
        files.save_json(self._folder / "results.json", self._shown)

    def _address(self, id: str) -> str:
        return f"{self._root}figures/{id}/{id}"

    def _made(self, sources: Sequence[str], runs: Sequence[Record]) -> dict[str, str]:
        """Return where the numbers come from: computed here, unless runs say otherwise."""
        here = {
            "data": dict.fromkeys(sources, ""),
            "device": self._shown["device"],
            "commit": provenance.commit(),
            "code": {"digest": self._code},
            "versions": provenance.versions(),
        }
        live = records_view.described([self.seed], [here])
        recorded = records_view.described((r.config["seed"] for r in runs), [r.provenance for r in runs])
        return {"profile": self.profile} | live | recorded

    @cached_property
    def _code(self) -> str:
        """Digest of the library functions that the chapter's cells reach."""
        code = parameters.code(self._catalogue.book.text(self.name))
        reached = closure.source_digest(code, closure.SCOPE)
        return reached.digest if reached.functions else ""


def _text(text: Text) -> str:
    return text if isinstance(text, str) else text()
