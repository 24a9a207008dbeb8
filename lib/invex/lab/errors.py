"""The two ways in which a request can end: refused, because of what was asked, or failed, in the doing."""

from collections.abc import Iterable


class Refused(ValueError):  # noqa: N818 - named after the finding
    """A name or value that the user gave does not exist; the message lists what does."""


class Failed(Exception):  # noqa: N818 - named after the finding
    """What was asked cannot be done as things stand; the message says why and names the file."""


WAY_OUT = "restore the file, or delete it and record its run again"


class CorruptRecord(Failed):
    """A record's file cannot be read, or does not hash to what it says; the message names it."""


class RecordNotWritten(Failed):
    """A record could not be written (a full disk, say); nothing of it is left behind."""


def one_of(there: Iterable[str], what: str, name: str) -> str:
    """Return the name if it is among those there are.

    Raises:
        Refused: it is not, with the list.
    """
    known = list(there)
    if name not in known:
        raise Refused(f"no {what} {name!r}; there are {', '.join(known) or 'none'}")
    return name
