"""The small pieces of HTML that cards, results and the ledger share; every text that enters is escaped."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from invex.press import claims

_WAVE = "c2-3 3.5 0 4.5 0s2.5-1.5 4.5-1.5"
SHAPES = {
    claims.REPRODUCED: '<path d="M2 6.5 5 9.5 10 3"/>',
    claims.SAME_ORDER: f'<path d="M1.5 5{_WAVE}M1.5 9{_WAVE}"/>',
    claims.IN_PART: '<circle cx="6" cy="6" r="4.5"/><path class="ix-fill" d="M6 1.5a4.5 4.5 0 0 0 0 9z"/>',
    claims.DIFFERS: '<path d="M2.5 2.5l7 7M9.5 2.5l-7 7"/>',
    claims.QUICK: '<path d="M6 1.5 11 10.5H1z"/>',
    claims.NOT_ATTEMPTED: '<circle cx="6" cy="6" r="4.5" stroke-dasharray="2 1.6"/>',
}


def slug(text: str) -> str:
    """Return an id as a class name or an anchor: ``same order`` -> ``same-order``, ``a/b`` -> ``a--b``."""
    return text.replace("/", "--").replace(" ", "-")


def shape(verdict: str) -> str:
    """Return a verdict's sign; the word always stands beside it or in a label."""
    size = 'viewBox="0 0 12 12" width="12" height="12"'
    return f'<svg class="ix-shape" {size} aria-hidden="true">{SHAPES[verdict]}</svg>'


def chip(verdict: str) -> str:
    """Return a verdict as sign and word."""
    return f'<span class="ix-chip ix-{slug(verdict)}">{shape(verdict)}{verdict}</span>'


def badge(text: str, kind: str) -> str:
    """Return a small label; ``kind``: quick, stale or partial. Nothing for an empty text."""
    return f'<span class="ix-badge ix-badge-{kind}">{escape(text)}</span>' if text else ""


def number(value: Any, digits: int | None = None) -> str:
    """Return a value to read: true minus, powers of ten written out, ``then`` between ordered names."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {number(entry, digits)}" for name, entry in value.items())
    if isinstance(value, list):
        return ", then ".join(" ~ ".join(entry) if isinstance(entry, list) else entry for entry in value)
    if isinstance(value, int):
        return typeset(f"{value:,}")
    if not isinstance(value, float):
        return str(value)
    if digits is not None and digits < 7:
        return typeset(f"{value:,.{digits}f}")
    return typeset(f"{value:,.0f}" if 1e3 <= abs(value) < 1e6 else f"{value:.3g}")


def typeset(text: str) -> str:
    """Write ``-1e-07`` as a reader expects it: true minus and a power of ten."""
    raised = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    text = re.sub(r"(?<=\d)e([+-]\d+)", lambda found: f" × 10{str(int(found[1])).translate(raised)}", text)
    return re.sub(r"(?<![\w-])-(?=\.?\d)", "\N{MINUS SIGN}", text)


def supported_digits(low: float, high: float, value: float | None = None) -> int:
    """Return the decimals that an interval supports: one significant digit of its half-width, two if 1...

    Around a ``value`` that is not in its middle the narrower side counts: 0.047 in [0.038, 1.2] is not 0.
    """
    half = abs(high - low) / 2
    if isinstance(value, float):
        half = min((side for side in (value - low, high - value) if side > half / 100), default=half)
    if half == 0 or not math.isfinite(half):
        return 3
    exponent = math.floor(math.log10(half))
    return max(0, -exponent + (half < 2 * 10**exponent))


def measured(claim: claims.Claim, result: Mapping[str, Any]) -> str:
    """Return a measured value with its interval and the number of repetitions, as HTML."""
    low, high, n = result["low"], result["high"], result["n"]
    known = low is not None and high is not None
    digits = supported_digits(low, high, result["value"]) if known else None
    interval = f"[{number(low, digits)}, {number(high, digits)}]" if known else ""
    aside = ", ".join(filter(None, [interval, f"n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{n:,}" if n else ""]))
    value = escape(f"{number(result['value'], digits)} {claim.unit}".strip())
    return f"<strong>{value}</strong>" + (f' <span class="ix-aside">{aside}</span>' if aside else "")


def expected(claim: claims.Claim) -> str:
    """Return what the paper reports, in the form in which it is compared."""
    relation = {"<=": "≤ ", ">=": "≥ ", "<": "< ", ">": "> "}.get(claim.relation, "")
    within = f" ± {number(claim.tolerance)}" if claim.tolerance else ""
    return escape(f"{relation}{number(claim.paper)}{within} {claim.unit}".strip())


def copyable(text: str, label: str, anchor: str) -> str:
    """Return preformatted text with a button that copies it."""
    attributes = f'class="ix-copy-button" data-copy="{anchor}" aria-label="Copy {escape(label)}"'
    return (
        f'<div class="ix-copy"><pre id="{anchor}">{escape(text)}</pre>'
        f'<button type="button" {attributes}>Copy</button></div>'
    )


def definitions(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a definition list; the values are HTML, and pairs without one are left out."""
    return (
        "<dl>"
        + "".join(f"<dt>{escape(term)}</dt><dd>{value}</dd>" for term, value in pairs if value)
        + "</dl>"
    )
