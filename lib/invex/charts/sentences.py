"""Pieces of sentences that several chapters' words share."""

from collections.abc import Sequence


def listed(names: Sequence[str]) -> str:
    """Names joined by commas and "and"; nothing for none."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""
