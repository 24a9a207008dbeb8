"""What is written into pages when the book is built: scoreboard, gallery, ledger, verdicts, status."""

import re

from invex.press import ledger, status
from invex.press.book import Book

MARK = re.compile(r"^<!-- insert: (scoreboard|gallery|table|verdicts|status) -->$", re.MULTILINE)


def fill(book: Book, profile: str, page: str) -> str:
    """Return a page's source with every `<!-- insert: NAME -->` line replaced by what NAME stands for."""

    def part(match: re.Match[str]) -> str:
        if match[1] == "status":
            return status.markdown(book, profile)
        found = ledger.ledger(book.root, book.artefacts, profile)
        return f"````{{raw}} html\n{found.html(match[1], '../' * page.count('/'))}\n````\n"

    return MARK.sub(part, book.text(page))
