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
    "convexity/argmin-inference": ("structured_prediction", "image_completion", "reinforcement"),
    "invariances/rosenbrock": ("rosenbrock",),
    "invariances/gaussian-mixture": ("two_minima", "disconnected"),
    "invariances/rotated-fashion": ("rotated_fashion",),
    "invariances/molecules": ("molecules", "molecules_xtb"),
    "invertibility/relu-preimages": ("singular_values",),
    "invertibility/invertible-resnets": ("iresnet_classifier",),
    "invertibility/reverse-adversarial": ("independence",),
    "invertibility/density-modelling": ("density_2d", "iresnet_density"),
}
OFTEN = ("initialisation/learning-dynamics", "performance")  # of records alone; the others also compute
CASES = [(page, count) for page in OFTEN for count in (0, 1, 9)]
CASES += [(page, -1) for page in USES if page not in OFTEN]
SMALL = {"convexity/argmin-inference": {"width": 8}, "invertibility/relu-preimages": {"networks": 8}}
"""Parameters with which a page computes less."""


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
        for part in path.parent.glob(f"{path.stem}.*"):
            shutil.copy(part, records / path.parent.name)
    return folder


def subset(page: str, count: int) -> list[Path]:
    """Some of a page's records, drawn at random; of a negative count half of each experiment's."""
    store, chance = Store(ROOT / "book" / "records"), random.Random(count)
    paths = [store.paths(name) for name in USES[page]]
    if count < 0:
        return [path for some in paths for path in chance.sample(some, -(-len(some) // 2))]
    return chance.sample([path for some in paths for path in some], count)


def execute(page: str) -> dict[str, Any]:
    """Run the cells of a page here; what it shows is printed."""
    names: dict[str, Any] = {}
    for cell in notebook(Book.find().text(page)).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, f"{page}.md", "exec"), names)
        if "parameters" in cell.metadata.get("tags", []):
            names |= SMALL.get(page, {})
    return names


@pytest.mark.parametrize(("page", "count"), CASES)
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
