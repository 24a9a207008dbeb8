"""The folders of a book, and its table of contents."""

from pathlib import Path

import pytest
from invex.lab.errors import Refused
from invex.press.book import Book


@pytest.mark.parametrize("text", ["a: [", "", "chapters: []", "[index]"])
def test_a_table_of_contents_that_is_none_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "_toc.yml").write_text(text)
    with pytest.raises(Refused, match=r"_toc\.yml is no table of contents: "):
        Book(tmp_path).pages()
