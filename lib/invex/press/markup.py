"""Values as a reader expects them, and the templates that put them on a page; what enters is escaped."""

import math
import re
from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from invex.press.claims import Claim
from invex.press.verdict import VERDICTS

QUICK_LABEL = "quick: stand-in data / fewer steps, not comparable with the paper"


def html(file: str, part: str, *values: Any) -> str:
    """Return what the macro ``part`` of ``templates/<file>.html`` makes of the values, as `Markup`."""
    return getattr(TEMPLATES.get_template(f"{file}.html").module, part)(*values)


def slug(text: str) -> str:
    """Return an id as a class name or an anchor: ``same order`` -> ``same-order``, ``a/b`` -> ``a--b``."""
    return text.replace("/", "--").replace(" ", "-")


def number(value: Any, digits: int | None = None) -> str:
    """Return a value to read: true minus, powers of ten written out, ``then`` between ordered names."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_entry(entry, digits)}" for name, entry in value.items())
    if isinstance(value, list):
        return ", then ".join(" & ".join(entry) if isinstance(entry, list) else entry for entry in value)
    if isinstance(value, int):
        return typeset(f"{value:,}")
    if not isinstance(value, float):
        return str(value)
    if digits is not None and digits < 7 and not 1e9 <= abs(value) < math.inf:
        return typeset(f"{value:z,.{digits}f}")
    return typeset(f"{value:,.0f}" if 1e3 <= abs(value) < 1e6 else f"{value:.3g}")


def _entry(entry: Any, digits: int | None) -> str:
    """Return a number, or one with its interval, `[value, low, high]`."""
    if not isinstance(entry, list | tuple):
        return number(entry, digits)
    value, low, high = entry
    digits = supported_digits(low, high, value)
    return f"{number(value, digits)} [{number(low, digits)}, {number(high, digits)}]"


SPACE = "\N{NO-BREAK SPACE}"
TIMES = f"{SPACE}×{SPACE}"


def typeset(text: str) -> str:
    """Write ``-1e-07`` as a reader expects it: true minus, a power of ten; a number keeps its per cent."""
    raised = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
    text = re.sub(r"(?<=\d)e([+-]\d+)", lambda e: f"{TIMES}10{str(int(e[1])).translate(raised)}", text)
    text = re.sub(r"(?<=\d) (?=%)", SPACE, text)
    return re.sub(r"(?<![\w-])-(?=\.?\d)", "\N{MINUS SIGN}", text)


def supported_digits(low: float, high: float, value: float | None = None) -> int:
    """Return the decimals that an interval supports: one significant digit of its half-width, two if 1...

    Around a ``value`` that is not in its middle the narrower side counts: 0.047 in [0.038, 1.2] is not 0.
    """
    half = abs(high - low) / 2
    if isinstance(value, float):
        half = min((side for side in (value - low, high - value) if side > 1e-4 * half), default=half)
    if half == 0 or not math.isfinite(half):
        return 3
    exponent = math.floor(math.log10(half))
    return max(0, -exponent + (half < 2 * 10**exponent))


def measured(claim: Claim, result: Mapping[str, Any]) -> tuple[str, str]:
    """Return a measured value, and its interval, where several runs gave one, with their number."""
    low, high, n, value = result["low"], result["high"], result["n"], result["value"]
    if claim.kind == "order" and isinstance(value, Mapping):
        ranked = sorted(value.items(), key=lambda pair: pair[1][0], reverse=claim.best == "max")
        value = dict(ranked)
    known = low is not None and high is not None
    known = known and not (n == 1 and low == high)  # of the mean of a single run
    digits = supported_digits(low, high, value) if known else None
    interval = f"[{number(low, digits)}, {number(high, digits)}]" if known else ""
    aside = ", ".join(filter(None, [interval, f"n{SPACE}={SPACE}{n:,}" if n else ""]))
    return f"{number(value, digits)}{SPACE}{claim.unit}".strip(), aside


def expected(claim: Claim) -> str:
    """Return what the source reports, in the form in which it is compared; limits and tolerances are ours."""
    if claim.kind == "similar":
        low, high = claim.limits or (1.0, 1.0)
        return f"similar; allowed {number(low)} to {number(high)}"
    relation = {"<=": "≤", ">=": "≥"}.get(claim.relation, claim.relation)
    relation += SPACE if relation else ""
    within = f"; allowed ± {number(claim.tolerance)}" if claim.tolerance else ""
    return f"{relation}{number(claim.paper)}{within}{SPACE}{claim.unit}".strip()


TEMPLATES = Environment(
    loader=PackageLoader("invex.press"), autoescape=True, undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip
TEMPLATES.filters |= {"slug": slug, "typeset": typeset}
TEMPLATES.filters |= {"verdict": lambda label: label.partition(",")[0]}  # without the scale
TEMPLATES.globals |= {"measured": measured, "expected": expected}
TEMPLATES.globals |= {"quick_label": QUICK_LABEL, "meanings": VERDICTS}
