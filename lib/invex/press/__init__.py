"""Figures, ledger, chapters, site and command line; knows no mathematics."""

from typing import Any

__all__ = ["Chapter", "Interactive"]


def __getattr__(name: str) -> Any:
    """Import what chapters use on first access: the command line does not wait for matplotlib."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from invex.press import chapter

    return getattr(chapter, name)
