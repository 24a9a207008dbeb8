"""Every page that draws records builds from any subset of them: none, one, and some drawn at random."""

import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from invex.experiments import learning_dynamics
from invex.lab.records import Store
from invex.press.book import Book
from invex.press.parameters import notebook

ROOT = Path(__file__).parents[2]
USES = {
    "initialisation/learning-dynamics": ("learning_dynamics", "initial_activity"),
    "performance": ("bench-*", "learning_dynamics"),
}


def book(folder: Path, paths: list[Path]) -> Path:
    """A book with these records alone; everything else is the book's own."""
    records = folder / "book" / "records"
    records.mkdir(parents=True)
    for path in (ROOT / "book").iterdir():
        if path.name != "records":
            (folder / "book" / path.name).symlink_to(path)
    for name in ("_config.yml", "_toc.yml", "benchmarks"):
        (folder / name).symlink_to(ROOT / name)
    for path in paths:
        (records / path.parent.name).mkdir(exist_ok=True)
        shutil.copy(path, records / path.parent.name)
    return folder


def subset(page: str, count: int) -> list[Path]:
    """Some of a page's records, drawn at random."""
    paths = [path for name in USES[page] for path in Store(ROOT / "book" / "records").paths(name)]
    return random.Random(count).sample(paths, count)


def execute(page: str) -> dict[str, Any]:
    """Run the cells of a page here; what it shows is printed."""
    names: dict[str, Any] = {}
    for cell in notebook(Book.find().text(page)).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, f"{page}.md", "exec"), names)
    return names


@pytest.mark.parametrize(("page", "count"), [*((page, count) for page in USES for count in (0, 1, 9))])
def test_a_page_is_drawn_from_any_subset_of_its_records(
    page: str, count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("INVEX_ROOT", str(book(tmp_path, subset(page, count))))
    monkeypatch.setattr(learning_dynamics, "precisions", lambda: [{"products": "float32", "loss": 1.0}])
    shown = execute(page)["chapter"]._shown["artefacts"]
    capsys.readouterr()  # pictures as text, which would bury what failed
    drawn = {name: each for name, each in shown.items() if each["size"]}
    assert all(min(each["size"]) > 100 for each in drawn.values())
    assert not [name for name, each in drawn.items() if "nan" in each["caption"].lower().split()]
    assert count or not drawn
