"""Which tests a change touches, in a repository made for it."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

PATH = Path(__file__).with_name("check.py")
SPEC = importlib.util.spec_from_file_location("check", PATH)
check = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(check)

FILES = {
    "lib/invex/sets/__init__.py": "from invex.sets.paths import walk\n",
    "lib/invex/sets/paths.py": "def walk(): ...\n",
    "lib/invex/sets/rays.py": "def ray(): ...\n",
    "tests/sets/helper.py": "",
    "tests/sets/test_paths.py": "from invex.sets.paths import walk\n",
    "tests/sets/test_paths_long.py": "",
    "tests/sets/test_rays.py": "import invex.sets.rays\n",
    "tests/other/test_front.py": "from invex.sets import walk\n",
    "tests/other/test_else.py": "import os\n",
    "tests/site/test_pages.py": "import invex.sets.paths\n",
    "tests/chapters/test_text.py": "",
    "book/part/first.md": "",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    git(tmp_path, "init", "-q", "-b", "main")
    commit(tmp_path)
    return tmp_path


def git(root: Path, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


def commit(root: Path) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "x")


@pytest.mark.parametrize(
    ("name", "tests"),
    [
        ("lib/invex/sets/paths.py", ["sets/test_paths", "sets/test_paths_long", "other/test_front"]),
        ("lib/invex/sets/rays.py", ["sets/test_rays"]),
        ("tests/other/test_else.py", ["other/test_else"]),
        ("tests/sets/helper.py", ["sets/test_paths", "sets/test_paths_long", "sets/test_rays"]),
        ("tests/site/test_pages.py", ["site/test_pages"]),
        ("book/part/first.md", ["chapters/test_text"]),
        ("book/part/first.png", []),
    ],
)
def test_a_change_touches_its_mirrors_and_what_imports_it(root: Path, name: str, tests: list[str]) -> None:
    assert check.tests_of(root, [name]) == [f"tests/{each}.py" for each in tests]


def test_changed_is_what_a_branch_committed_and_what_is_not_committed(root: Path) -> None:
    assert check.changed(root) == []
    git(root, "switch", "-q", "-c", "mine")
    (root / "lib/invex/sets/rays.py").write_text("x = 1\n")
    (root / "tests/other/test_else.py").unlink()
    commit(root)
    (root / "lib/invex/sets/paths.py").write_text("x = 2\n")
    (root / "lib/invex/sets/new.py").write_text("x = 3\n")
    assert check.changed(root) == [f"lib/invex/sets/{name}.py" for name in ("new", "paths", "rays")]


@pytest.mark.parametrize(("until", "said"), [("0", "out of time: 1 tests were not run"), ("inf", "1 passed")])
def test_what_there_is_no_time_for_is_named(tmp_path: Path, until: str, said: str) -> None:
    (tmp_path / "test_one.py").write_text("def test_one():\n    assert True\n")
    words = [sys.executable, "-m", "pytest", "-p", "check", "-p", "no:cacheprovider", "test_one.py"]
    more = {"PYTHONPATH": str(PATH.parent), "PATH": "", check.UNTIL: until}
    done = subprocess.run(words, cwd=tmp_path, env=more, capture_output=True, text=True)
    assert said in done.stdout
    assert ("pytest test_one.py" in done.stdout) == (until == "0")
