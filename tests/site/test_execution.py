"""What decides whether a chapter is executed, and with which parameters."""

import shutil
from pathlib import Path

import pytest
from invex.press import execute
from invex.press.book import Book, BookNotFoundError
from invex.press.fingerprint import changed, fingerprint
from invex.press.parameters import ParameterError, declared, parse

CHAPTER = """---
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# A chapter

```{code-cell} ipython3
:tags: [parameters]
profile = "recorded"
seed = 0
rate: float = 0.5
sizes = [1, 2]
flag = True
limit = None
```

```{code-cell} ipython3
from invex.nn import initialise
from invex.press import Chapter
chapter = Chapter("part/one", profile=profile)
runs = chapter.records("an_experiment")
initialise.principled(784)
```
"""


@pytest.fixture
def book(tmp_path: Path) -> Book:
    (tmp_path / "book" / "part").mkdir(parents=True)
    (tmp_path / "book" / "records" / "an_experiment").mkdir(parents=True)
    (tmp_path / "_toc.yml").write_text(
        "root: index\nparts:\n- chapters:\n  - file: part/one\n  - file: plain\n"
    )
    (tmp_path / "book" / "index.md").write_text("# Front\n")
    (tmp_path / "book" / "plain.md").write_text("# Not a notebook\n")
    (tmp_path / "book" / "part" / "one.md").write_text(CHAPTER)
    (tmp_path / "book" / "part" / "one.yml").write_text("title: One\n")
    return Book(tmp_path)


def marks(book: Book, **parameters: object) -> dict[str, str]:
    return fingerprint(book, "part/one", parameters)


def test_the_table_of_contents_tells_pages_from_chapters(book: Book) -> None:
    assert book.pages() == ["index", "part/one", "plain"]
    assert book.chapters() == ["part/one"]


def test_the_book_is_found_from_a_folder_inside_it(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("INVEX_ROOT", raising=False)
    monkeypatch.chdir(book.source / "part")
    assert Book.find() == Book(book.root.resolve())
    with pytest.raises(BookNotFoundError, match=r"_toc\.yml"):
        Book.find(book.source)


def test_nothing_changed_is_seen_as_such(book: Book) -> None:
    assert changed(marks(book, seed=0), marks(book, seed=0)) == []


def test_each_cause_is_named(book: Book) -> None:
    before = marks(book, seed=0)
    (book.source / "part" / "one.yml").write_text("title: Another\n")
    assert changed(before, marks(book, seed=0)) == ["claims"]
    (book.records / "an_experiment" / "a.json").write_text("{}")
    assert changed(before, marks(book, seed=0)) == ["claims", "records"]
    assert changed(before, marks(book, seed=1)) == ["claims", "records", "parameters"]
    (book.source / "part" / "one.md").write_text(CHAPTER.replace("784", "785"))
    assert "text" in changed(before, marks(book, seed=0))


def test_records_of_a_bench_that_it_names_are_a_cause(book: Book) -> None:
    before = marks(book, seed=0)
    (book.records / "bench-an_experiment").mkdir()
    (book.records / "bench-an_experiment" / "a.json").write_text("{}")
    assert changed(before, marks(book, seed=0)) == ["records"]


def test_records_of_another_experiment_do_not_matter(book: Book) -> None:
    before = marks(book, seed=0)
    (book.records / "another").mkdir()
    (book.records / "another" / "a.json").write_text("{}")
    assert changed(before, marks(book, seed=0)) == []


def test_the_library_functions_reached_are_among_the_causes(book: Book) -> None:
    causes = marks(book, seed=0)
    assert "invex.nn.initialise.principled" in causes
    assert "invex.press.chapter.Chapter" in causes
    assert not any("bijections" in cause for cause in causes)


def test_half_written_results_count_as_none(book: Book, tmp_path: Path) -> None:
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / execute.SUMMARY).write_text('{"chapter": "part/o')
    assert execute.load(folder) is None
    shutil.rmtree(folder)
    assert execute.load(folder) is None


def test_parameters_are_read_from_the_cell() -> None:
    expected = {"profile": "recorded", "seed": 0, "rate": 0.5, "sizes": [1, 2], "flag": True, "limit": None}
    assert declared(CHAPTER) == expected


@pytest.mark.parametrize(
    ("pair", "value"),
    [("seed=3", 3), ("rate=2", 2.0), ("rate=1e-3", 1e-3), ("sizes=[3]", [3]), ("flag=false", False),
     ("profile=quick", "quick"), ("limit=7", 7)],
)  # fmt: skip
def test_values_take_the_type_of_the_default(pair: str, value: object) -> None:
    (found,) = parse([pair], declared(CHAPTER)).values()
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "pair", ["seed=1.5", "seed=true", "rate=fast", "flag=1", "sizes=3", "speed=1", "seed"]
)
def test_wrong_values_are_refused(pair: str) -> None:
    with pytest.raises(ParameterError, match=pair.partition("=")[0]):
        parse([pair], declared(CHAPTER))


def test_computed_parameters_are_refused() -> None:
    with pytest.raises(ParameterError, match="2 \\* 3"):
        declared(CHAPTER.replace("seed = 0", "seed = 2 * 3"))
