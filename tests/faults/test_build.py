"""What goes wrong while a book is built: each fault is named, and the site that was there stays as it was."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from invex.press import execute, site
from invex.press.book import Book

ROOT = Path(__file__).parents[2]
HEADER = """---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# A chapter

```{code-cell} ipython3
:tags: [parameters]
profile = "recorded"
seed = 0
device = "auto"
scale = 2.0
```
"""
TOC = {
    "format": "jb-book",
    "root": "index",
    "chapters": [{"file": "part/first"}, {"file": "part/second"}, {"file": "references"}],
}


def chapter(code: str) -> str:
    return f"{HEADER}\n```{{code-cell}} ipython3\n{code}\n```\n"


def invex(book: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "invex.press.cli", *words, "--root", str(book)]
    return subprocess.run(command, capture_output=True, text=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book of two tiny chapters with its site."""
    root = tmp_path_factory.mktemp("built")
    (root / "book" / "part").mkdir(parents=True)
    shutil.copy(ROOT / "_config.yml", root)
    shutil.copytree(ROOT / "static_vendor", root / "static_vendor")
    for name in ("_static", "_ext"):
        shutil.copytree(ROOT / "book" / name, root / "book" / name)
    (root / "_toc.yml").write_text(json.dumps(TOC))
    (root / "book" / "references.bib").write_text("@misc{a, title={T}, author={A}, year={2020}}\n")
    (root / "book" / "references.md").write_text("# References\n\n```{bibliography}\n:all:\n```\n")
    (root / "book" / "index.md").write_text("# Front\n\nA page.\n")
    (root / "book" / "part" / "first.md").write_text(chapter("3 * scale"))
    (root / "book" / "part" / "second.md").write_text(chapter("print(profile)"))
    done = invex(root, "build")
    assert done.returncode == 0, done.stdout + done.stderr
    return root


@pytest.fixture
def book(built: Path, tmp_path: Path) -> Book:
    shutil.copytree(built, tmp_path / "book")
    return Book(tmp_path / "book")


def test_an_unchanged_book_is_left_alone(book: Book) -> None:
    before = contents(book.html)
    done = invex(book.root, "build")
    assert done.returncode == 0
    assert "0 executed, 2 unchanged; site unchanged" in done.stdout
    assert contents(book.html) == before


def test_a_failing_chapter_is_named_and_the_others_are_kept(book: Book) -> None:
    before = contents(book.html)
    first = execute.load(book.artefacts / "recorded" / "part" / "second")
    assert first
    (book.source / "part" / "first.md").write_text(chapter("1 / 0"))
    (book.source / "part" / "second.md").write_text(chapter("print(scale)"))
    done = invex(book.root, "build")
    assert done.returncode == 1
    assert "part/first" in done.stderr
    assert "`1 / 0`: ZeroDivisionError" in done.stderr
    assert contents(book.html) == before
    kept = execute.load(book.artefacts / "recorded" / "part" / "second")
    assert kept
    assert kept.fingerprint["text"] != first.fingerprint["text"]


def test_a_killed_build_leaves_no_process_behind(book: Book) -> None:
    (book.source / "part" / "first.md").write_text(chapter("import time; print(time.sleep(60))"))
    command = [sys.executable, "-m", "invex.press.cli", "build", "--root", str(book.root)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    while not list((book.build / "executing").rglob("first")):
        assert running.poll() is None
        time.sleep(0.05)
    running.kill()
    running.communicate(timeout=30)  # ends when no process holds its output any more


def test_a_chapter_that_is_not_python_is_named(book: Book) -> None:
    (book.source / "part" / "first.md").write_text(chapter("2 * (scale"))
    for words in (["build"], ["run", "part/first"]):
        done = invex(book.root, *words)
        assert done.returncode == 1
        assert "part/first: `2 * (scale`: SyntaxError: '(' was never closed" in done.stderr
        assert "Traceback" not in done.stderr


def test_a_killed_chapter_is_named_and_the_others_are_kept(book: Book) -> None:
    killing = "import os, signal; os.kill(os.getppid(), signal.SIGKILL)"  # the worker of the kernel
    (book.source / "part" / "first.md").write_text(chapter(killing))
    (book.source / "part" / "second.md").write_text(chapter("print(scale)"))
    done = invex(book.root, "build", "--workers", "1")
    assert done.returncode == 1
    assert "part/first: not executed, a worker was killed" in done.stderr
    assert "Traceback" not in done.stderr
    assert (book.html / "index.html").is_file()


def test_a_warning_of_the_site_builder_is_fatal(book: Book) -> None:
    before = contents(book.html)
    (book.source / "index.md").write_text("# Front\n\n{doc}`nowhere`\n")
    done = invex(book.root, "build")
    assert done.returncode == 1
    assert "unknown document: 'nowhere'\n" in done.stderr  # without the builder's colours
    assert contents(book.html) == before


def test_a_warning_of_a_chapter_is_fatal_and_quoted(book: Book) -> None:
    before = contents(book.html)
    (book.source / "part" / "first.md").write_text(chapter("import warnings; warnings.warn('careful')"))
    done = invex(book.root, "build")
    assert done.returncode == 1
    assert "part/first: cell [2] wrote to standard error" in done.stderr
    assert "UserWarning: careful" in done.stderr
    assert contents(book.html) == before


@pytest.fixture
def small_disk(book: Book, tmp_path: Path) -> Iterator[Book]:
    """The book on a disk with room for nothing more than it holds."""
    disk = tmp_path / "disk"
    disk.mkdir()
    used = sum((path.stat().st_size // 4096 + 1) * 4096 for path in book.root.rglob("*"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={used + 2_000_000}", "none", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small disk is not permitted here")
    try:
        shutil.copytree(book.root, disk / "book")
        yield Book(disk / "book")
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_is_named_and_the_site_stays(small_disk: Book) -> None:
    before = contents(small_disk.html)
    (small_disk.source / "index.md").write_text("# Front\n\nAnother page.\n")
    done = invex(small_disk.root, "build")
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert contents(small_disk.html) == before


def test_a_site_that_cannot_be_moved_in_leaves_the_old_one(tmp_path: Path) -> None:
    old = tmp_path / "html"
    old.mkdir()
    (old / "index.html").write_text("old")
    with pytest.raises(FileNotFoundError):
        site.swap(tmp_path / "never-built", old)
    assert (old / "index.html").read_text() == "old"


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["run", "part/third"], ["'part/third'", "part/first", "part/second"]),
        (["run", "part/first", "-p", "scal=3"], ["'scal'", "scale=2.0", "seed=0"]),
        (["run", "part/first", "-p", "scale=wide"], ["scale='wide'", "float", "scale=2.0", "seed=0"]),
        (["run", "part/first", "-p", "seed=1.5"], ["seed='1.5'", "int"]),
        (["run", "part/first", "--profile", "slow"], ["'slow'", "recorded"]),
        (["run", "part/first", "-p", "profile=slow"], ["profile 'slow'", "recorded"]),
        (["run", "part/first", "-p", "device=tpu"], ["device 'tpu'", "cuda"]),
        (["build", "part/third"], ["'part/third'", "part/first"]),
    ],
)
def test_what_does_not_exist_is_refused_by_name(built: Path, words: list[str], named: list[str]) -> None:
    done = invex(built, *words)
    assert done.returncode == 2
    assert all(name in done.stderr for name in named)


def test_a_rerun_has_a_folder_and_a_page_of_its_own(book: Book, tmp_path: Path) -> None:
    before = contents(book.html)
    done = invex(book.root, "run", "part/first", "-p", "scale=5", "--out", str(tmp_path / "mine"))
    page = Path(done.stdout.splitlines()[-1])
    assert page.is_relative_to(tmp_path / "mine")
    assert "15.0" in page.read_text()
    assert contents(book.html) == before


def test_a_rerun_goes_into_no_folder_that_holds_other_things(built: Path, tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.tex").write_text("years")
    done = invex(built, "run", "part/first", "--out", str(tmp_path))
    assert done.returncode == 2
    assert f"{tmp_path} holds other things" in done.stderr
    assert contents(tmp_path) == {"work/thesis.tex": b"years"}
    done = invex(built, "run", "part/first", "--out", str(tmp_path / "work" / "thesis.tex"))
    assert done.returncode == 2
    assert "thesis.tex holds other things" in done.stderr


def test_two_reruns_do_not_share_a_folder(book: Book, tmp_path: Path) -> None:
    (book.source / "part" / "first.md").write_text(chapter("import time; time.sleep(5); scale"))
    command = [sys.executable, "-m", "invex.press.cli", "run", "part/first", "--out", str(tmp_path / "mine")]
    first = subprocess.Popen([*command, "--root", str(book.root)], stdout=subprocess.DEVNULL)
    while not list((book.build / "executing").glob("*.lock")):
        assert first.poll() is None
        time.sleep(0.05)
    second = invex(book.root, *command[3:])
    assert second.returncode == 1
    assert f"another rerun is going into {tmp_path / 'mine'}" in second.stderr
    assert first.wait() == 0


def test_a_book_that_cannot_be_written_is_named(book: Book) -> None:
    (book.build / "kernels.log").unlink(missing_ok=True)
    (book.build / "kernels.log").mkdir()
    done = invex(book.root, "run", "part/first")
    assert done.returncode == 1
    assert done.stderr.startswith("invex: ")
    assert f"{book.build / 'kernels.log'}" in done.stderr


def test_a_failing_rerun_names_the_cell(book: Book) -> None:
    (book.source / "part" / "first.md").write_text(chapter("1 / (scale - 2)"))
    done = invex(book.root, "run", "part/first", "-p", "scale=2")
    assert done.returncode == 1
    assert "`1 / (scale - 2)`: ZeroDivisionError" in done.stderr


def test_a_value_that_the_chapter_refuses_is_named_without_a_traceback_which_is_kept(book: Book) -> None:
    refusing = "if scale < 0:\n    raise ValueError('a scale is no less than 0')"
    (book.source / "part" / "first.md").write_text(chapter(refusing))
    done = invex(book.root, "run", "part/first", "-p", "scale=-3")
    assert done.returncode == 1
    assert "cell [3] `if scale < 0:`: ValueError: a scale is no less than 0" in done.stderr
    assert "with scale=-3.0 (default 2.0)" in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    kept = (book.build / "tracebacks" / "part-first.txt").read_text(encoding="utf-8")
    assert "Traceback (most recent call last)" in kept
    assert "\x1b" not in kept


def test_a_folder_without_a_book_is_refused(tmp_path: Path) -> None:
    done = invex(tmp_path, "build")
    assert done.returncode == 2
    assert "_toc.yml" in done.stderr
