"""Lint, types, and the tests of what a change touches, in under two minutes: for working, not instead of all.

`python tests/check.py` takes the files that differ from where the branch left main, and those not committed.
Tests are the changed ones, those that mirror a changed module, then those that import it. What there is no
time for is counted and named at the end.
"""

import ast
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

SECONDS = 100
"""After the start no further test is begun."""
UNTIL = "INVEX_CHECK_UNTIL"
LATE = "out of time"
ELSEWHERE = ("tests/site", "tests/faults")
"""Tests of a whole built book: minutes each, and so run here only where they were changed themselves."""


def changed(root: Path, trunk: str = "main") -> list[str]:
    """Files under a git repository that differ from the merge base with the trunk, or are not committed."""
    names = [trunk, f"origin/{trunk}", "HEAD"]
    bases = (_git(root, "merge-base", "HEAD", name) for name in names)
    base = next((found[0] for found in bases if found), "HEAD")
    there = [*_git(root, "diff", "--name-only", base), *_git(root, "ls-files", "-o", "--exclude-standard")]
    return sorted({name for name in there if (root / name).is_file()})


def tests_of(root: Path, names: Iterable[str]) -> list[str]:
    """Test files that changed, then mirrors of changed modules, then tests that import these."""
    names = list(names)
    own = [path for name in names for path in _own(root, name)]
    modules = [name for name in names if name.startswith("lib/invex/") and name.endswith(".py")]
    mirrors = [path for name in modules for path in _mirrors(root, name)]
    wanted = {other for name in modules for other in _names(root, name)}
    importing = [path for path in _all_tests(root) if wanted & imports(root / path)] if wanted else []
    later = [path for path in [*mirrors, *importing] if not path.startswith(ELSEWHERE)]
    return list(dict.fromkeys([*own, *later]))


def imports(path: Path) -> set[str]:
    """Modules and names that a file imports, each as `package.module` or `package.module.name`."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def _git(root: Path, *words: str) -> list[str]:
    done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True)
    return done.stdout.splitlines() if done.returncode == 0 else []


def _all_tests(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in (root / "tests").rglob("test_*.py"))


def _own(root: Path, name: str) -> Iterator[str]:
    """Tests that a changed file is or serves: a helper serves its folder, a chapter the tests of chapters."""
    path = Path(name)
    if path.parts[0] == "book" and path.suffix in (".md", ".yml"):
        yield from (each for each in _all_tests(root) if each.startswith("tests/chapters/"))
    elif path.parts[0] == "tests" and path.suffix == ".py" and len(path.parts) > 2:
        helper = not path.name.startswith("test_")
        yield from (
            (each for each in _all_tests(root) if Path(each).parent == path.parent) if helper else [name]
        )
    elif path.parts[0] == "tests" and path.name.startswith("test_"):
        yield name


def _mirrors(root: Path, name: str) -> list[str]:
    """For `lib/invex/X/y.py` what there is of `tests/X/test_y*.py`."""
    path = Path(name).relative_to("lib/invex")
    stem = path.stem if path.stem != "__init__" else path.parent.name
    found = (root / "tests" / path.parent).glob(f"test_{stem}*.py")
    return sorted(each.relative_to(root).as_posix() for each in found)


def _names(root: Path, name: str) -> set[str]:
    """The names by which a module is imported: its own, and its package's where that hands it on."""
    parts = Path(name).relative_to("lib").with_suffix("").parts
    module = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    package = root / Path(name).parent / "__init__.py"
    handed_on = package.is_file() and any(
        each == module or each.startswith(f"{module}.") for each in imports(package)
    )
    return {module, module.rpartition(".")[0]} if handed_on else {module}


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test for which there is no time left."""
    if time.time() > float(os.environ.get(UNTIL, "inf")):
        pytest.skip(LATE)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Name the files of tests for which there was no time."""
    skipped = terminalreporter.stats.get("skipped", [])
    late = [report.nodeid.partition("::")[0] for report in skipped if LATE in str(report.longrepr)]
    if late:
        files = " ".join(dict.fromkeys(late))
        terminalreporter.write_line(f"{LATE}: {len(late)} tests were not run; for them: pytest {files}")


def main(root: Path = Path(__file__).parents[1]) -> int:
    """Run what there is to run; the number of parts that failed."""
    start, names = time.time(), changed(root)
    tests = tests_of(root, names)
    sources = [name for name in names if name.endswith(".py")]
    steps = [["ruff", "check", *sources], ["ruff", "format", "--check", *sources]] if sources else []
    steps += [["mypy"]] if any(name.startswith("lib/") for name in sources) else []
    workers = os.environ.get("WORKERS") or str(os.cpu_count() or 1)
    if tests:
        steps += [["pytest", "-p", "check", "-r", "fE", "-n", workers, "--dist", "loadgroup", *tests]]
    environment = os.environ | {UNTIL: str(start + SECONDS)}
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(root / "tests"), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    print(f"{len(names)} files changed, {len(tests)} files of tests touched by that", flush=True)
    failed = [
        step[0]
        for step in steps
        if subprocess.run([sys.executable, "-m", *step], cwd=root, env=environment).returncode
    ]
    print(f"{', '.join(failed) + ' failed' if failed else 'all passed'}, {time.time() - start:.0f} s")
    return len(failed)


if __name__ == "__main__":
    sys.exit(main())
