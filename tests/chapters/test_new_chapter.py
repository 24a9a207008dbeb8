"""A chapter is added to a book by its own files and one line of the table of contents (CONTRIBUTING.md)."""

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FAKES = ROOT / "tests" / "fakes"

TEXT = """---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# A tiny chapter

```{code-cell} ipython3
:tags: [parameters]
profile = "recorded"
seed = 0
device = "auto"
```

```{code-cell} ipython3
import matplotlib.pyplot as plt
from invex.press import Chapter

chapter = Chapter("part/tiny", profile=profile, seed=seed, device=device)
runs = chapter.records("fake_runs.steady", method="plain")
curves = runs.frame()
```

```{code-cell} ipython3
def draw():
    figure, axes = plt.subplots()
    axes.plot(curves.loss)
    return figure

chapter.figure("tiny-decay", draw, data=curves, records=runs, caption="It decays.", alt="A falling curve.")
```

```{code-cell} ipython3
chapter.result("tiny-decay/final", runs.metrics().final.mean(), n=len(runs.metrics()))
chapter.checks()
```
"""
DATA = """
title: A tiny chapter
work: hoedt2023
artefacts:
  - {id: tiny-decay, kind: figure, source: "Figure 0", title: "Decay"}
claims:
  - id: tiny-decay/final
    artefact: tiny-decay
    what: "Loss at the end"
    kind: value
    paper: 1.1496
    tolerance: 0.001
    reason: "the runs are exact"
"""


def invex(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "INVEX_ROOT": str(root),
        "PYTHONPATH": str(FAKES),
        "PATH": "/usr/bin:/bin",
        "HOME": str(root),
    }
    command = [sys.executable, "-m", "invex.press.cli", *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=root)


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book of a front page, a ledger and the tiny chapter, with its records."""
    root = tmp_path_factory.mktemp("new") / "book"
    (root / "book" / "part").mkdir(parents=True)
    for name in ("_config.yml", "static_vendor", "book/_static", "book/_ext"):
        source = ROOT / name
        shutil.copytree(source, root / name) if source.is_dir() else shutil.copy(source, root / name)
    for name in ("ledger.md", "references.md", "references.bib"):
        shutil.copy(ROOT / "book" / name, root / "book")
    front = (
        "# A tiny book\n\n<!-- insert: cards -->\n\n<!-- insert: scoreboard -->\n"  # ours names other pages
    )
    (root / "book" / "index.md").write_text(front)
    pages = ["part/tiny", "ledger", "references"]
    toc = {"format": "jb-book", "root": "index", "chapters": [{"file": page} for page in pages]}
    (root / "_toc.yml").write_text(json.dumps(toc))
    (root / "book" / "artefacts.yml").write_text("{}\n")
    (root / "book" / "part" / "tiny.md").write_text(TEXT)
    (root / "book" / "part" / "tiny.yml").write_text(DATA)
    for command in (["record", "fake_runs.steady"], ["build"]):
        done = invex(root, *command)
        assert done.returncode == 0, done.stdout + done.stderr
    return root


def test_its_figure_and_record_are_on_the_page(book: Path) -> None:
    page = (book / "_build" / "html" / "part" / "tiny.html").read_text()
    assert 'id="tiny-decay"' in page
    assert "It decays." in page
    assert (book / "_build" / "html" / "figures" / "tiny-decay" / "tiny-decay.csv").is_file()
    folder = book / "book" / "records" / "fake_runs.steady"
    records = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    assert len(records) == 6
    assert f"<dd>{records[0]['provenance']['code']['digest']}</dd>" in page


def test_its_claim_is_on_the_page_with_its_verdict(book: Path) -> None:
    page = (book / "_build" / "html" / "part" / "tiny.html").read_text()
    result = page[page.index('id="tiny-decay--final"') :].partition("</tr>")[0]
    assert "1.15" in result
    assert "reproduced" in result


def test_its_claim_is_in_the_ledger_and_on_the_ledger_page(book: Path) -> None:
    ledger = json.loads(invex(book, "ledger", "--json").stdout)
    claim = next(c for a in ledger["artefacts"] for c in a["claims"] if c["id"] == "tiny-decay/final")
    assert (claim["verdict"], claim["n"]) == ("reproduced", 3)
    page = (book / "_build" / "html" / "ledger.html").read_text()
    assert "Loss at the end" in page
    assert 'id="ledger-tiny-decay"' in page
    assert "part/tiny.html#tiny-decay" in page


def test_a_number_that_is_not_finite_is_null_for_programs(book: Path, tmp_path: Path) -> None:
    root = shutil.copytree(book, tmp_path / "book")
    results = root / "_build" / "artefacts" / "recorded" / "part" / "tiny" / "results.json"
    shown = json.loads(results.read_text())
    shown["results"]["tiny-decay/final"] |= {"value": math.nan, "high": math.inf}
    results.write_text(json.dumps(shown))
    said = invex(root, "ledger", "--json").stdout
    ledger = json.loads(said, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    claim = next(c for a in ledger["artefacts"] for c in a["claims"])
    assert (claim["verdict"], claim["value"], claim["high"]) == ("differs", None, None)


def test_a_wrong_value_would_be_called_different(book: Path, tmp_path: Path) -> None:
    root = shutil.copytree(book, tmp_path / "book")
    data = root / "book" / "part" / "tiny.yml"
    data.write_text(data.read_text().replace("1.1496", "2.0"))
    ledger = json.loads(invex(root, "ledger", "--json").stdout)
    assert [c["verdict"] for a in ledger["artefacts"] for c in a["claims"]] == ["differs"]
