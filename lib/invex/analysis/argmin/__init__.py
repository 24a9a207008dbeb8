"""Inference by argmin: the y of least energy f(x, y), a batch at a time, and its derivative.

Start with `invex.analysis.argmin.gradient`: `descend` takes a fixed number of steps that can be unrolled,
`minimise` goes on until each example has converged. `invex.analysis.argmin.bundle_entropy` minimises
f(y) - H(y) over the unit cube, kinks or not, with a derivative of its own; `invex.analysis.argmin.implicit`
differentiates any smooth argmin by the implicit function theorem; `invex.analysis.argmin.control` chooses
actions so. `invex.analysis.argmin.problem` names what can go wrong.
"""

from invex.analysis.argmin import bundle_entropy, gradient, implicit
from invex.analysis.argmin.problem import SPACE, UNIT, Box, NotConvex, OutsideDomain, Solution, Unbounded

__all__ = [
    "SPACE", "UNIT", "Box", "NotConvex", "OutsideDomain", "Solution", "Unbounded",
    "bundle_entropy", "gradient", "implicit",
]  # fmt: skip
