"""The environment's three descriptions agree, and the library is importable without the book."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CORE = {"torch", "numpy", "scipy"}
EXTRAS = ("book", "chemistry", "control")  # all in the lock, so that every chapter and record can be made


def locked(*names: str) -> dict[str, Version]:
    """Versions pinned in the named requirement files, by lower-case name."""
    lines = [line for name in names for line in (ROOT / name).read_text().split()]
    pins = [Requirement(line) for line in lines]
    return {pin.name.lower().replace("_", "-"): Version(next(iter(pin.specifier)).version) for pin in pins}


def check(requirements: list[str], pins: dict[str, Version]) -> None:
    for requirement in map(Requirement, requirements):
        name = requirement.name.lower()
        assert name in pins, f"{name} is in pyproject.toml but not locked: run `make lock`"
        assert pins[name] in requirement.specifier, (
            f"{name} is locked at {pins[name]}, not {requirement.specifier}"
        )


def test_the_lock_satisfies_the_library_and_the_book() -> None:
    wanted = [item for extra in EXTRAS for item in PROJECT["optional-dependencies"][extra]]
    check(PROJECT["dependencies"] + wanted, locked("requirements.txt"))


def test_the_lock_satisfies_the_tests() -> None:
    check(PROJECT["optional-dependencies"]["test"], locked("requirements.txt", "requirements-test.txt"))


def test_a_requirement_outside_the_lock_is_noticed() -> None:
    with pytest.raises(AssertionError, match="make lock"):
        check(["not-there>=1"], locked("requirements.txt"))


def test_conda_users_get_the_locked_environment() -> None:
    conda = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pip = next(item["pip"] for item in conda if isinstance(item, dict))
    python = next(item for item in conda if isinstance(item, str) and item.startswith("python="))
    assert pip == ["-r requirements.txt", "-e ."]
    assert (
        Version(python.removeprefix("python="))
        in Requirement(f"python{PROJECT['requires-python']}").specifier
    )


def test_the_library_depends_on_torch_numpy_and_scipy_only() -> None:
    assert {Requirement(item).name for item in PROJECT["dependencies"]} == CORE


BLOCK = """
import importlib, sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {absent!r}:
            raise ModuleNotFoundError(f"{{name}} is part of the book, not of the library", name=name)
sys.meta_path.insert(0, Absent())
import torch
before = set(sys.modules)
for module in {modules!r}:
    importlib.import_module(module)
print(*sorted({{name.split(".")[0] for name in set(sys.modules) - before}}))
"""


def extras() -> set[str]:
    """Import names of what book, chemistry and control need beyond the library."""
    installed = {"pyyaml": "yaml", "pillow": "PIL", "scikit-learn": "sklearn"}
    names = [Requirement(item).name for extra in EXTRAS for item in PROJECT["optional-dependencies"][extra]]
    return {installed.get(name, name.replace("-", "_")) for name in names}


def imported_by(modules: list[str]) -> set[str]:
    """Top-level packages that the modules import beyond torch's own, in a process without the book."""
    code = BLOCK.format(absent=extras(), modules=modules)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_the_library_imports_without_the_book() -> None:
    folders = [ROOT / "lib/invex" / package for package in ("data", "nn", "analysis")]
    files = [file for folder in folders for file in sorted(folder.rglob("*.py"))]
    names = [".".join(file.relative_to(ROOT / "lib").with_suffix("").parts) for file in files]
    imported_by([name.removesuffix(".__init__") for name in names])


def test_the_initialiser_imports_nothing_beyond_torch() -> None:
    assert imported_by(["invex.nn.initialise"]) <= {"invex", "scipy", "numpy"}


ALLOWED = {
    "data": {"data"},
    "nn": {"nn"},
    "analysis": {"nn", "analysis"},
    "experiments": {"data", "nn", "analysis", "experiments", "lab"},
    "lab": {"lab"},
    "press": {"charts", "data", "lab", "press"},
    "charts": {"data", "nn", "analysis", "charts"},  # diagrams of modules, pictures of molecules
}


def imported_packages(file: Path) -> set[str]:
    """Sub-packages of invex that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("invex"):
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("invex.")}
    return found - {"__version__"}


@pytest.mark.parametrize("package", ALLOWED)
def test_imports_point_one_way(package: str) -> None:
    for file in sorted((ROOT / "lib/invex" / package).rglob("*.py")):
        wrong = imported_packages(file) - ALLOWED[package]
        assert not wrong, f"{file.relative_to(ROOT)} imports invex.{', invex.'.join(sorted(wrong))}"


def test_without_the_book_the_command_names_the_extra_in_one_line() -> None:
    code = BLOCK.format(absent=extras(), modules=["invex.command"]) + "invex.command.main()"
    done = subprocess.run(
        [sys.executable, "-c", "import invex.command\n" + code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "pip install 'invex[book]'" in done.stderr
