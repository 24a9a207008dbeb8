"""What the text of every chapter holds, before it is executed."""

import re
from pathlib import Path

import pytest

BOOK = Path(__file__).parents[2] / "book"
CHAPTERS = [path for path in sorted(BOOK.rglob("*.md")) if "$$ (eq-" in path.read_text(encoding="utf-8")]
EQUATION = re.compile(r"\n\$\$\n.*?\n\$\$ \((eq-[\w-]+)\)\n", re.DOTALL)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_every_numbered_equation_is_linked_to_what_implements_it(path: Path) -> None:
    """A role in the paragraph before or after it; between two equations in a row stands none."""
    parts = EQUATION.split(path.read_text(encoding="utf-8"))
    prose, names = parts[::2], parts[1::2]
    assert names
    for i, name in enumerate(names):
        before = prose[i].strip().rpartition("\n\n")[2]
        after = next((text for text in prose[i + 1 :] if text.strip()), "").strip().partition("\n\n")[0]
        assert re.search(r"\{py:\w+\}`~?invex\.", before + after), f"{path.name}: {name}"
