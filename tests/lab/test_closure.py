import subprocess
import sys

import pytest
from invex.lab.closure import changed, code_digest, source_digest

EXPERIMENT = '''
"""An experiment."""
from science import layers
from science.layers import TWO as factor

@dataclass
class Config:
    """Its config."""
    rate: float = 0.1
    seed: int = 0

    def scale(self):
        return self.rate

def configs(profile):
    return [Config(seed=seed) for seed in range(3)]

def run(configs, *, device):
    for config in configs:
        yield layers.Net(factor).forward(config)
'''
LAYERS = '''
from .numbers import TWO, helper as helped

REGISTRY = {"relu": lambda x: max(x, 0)}
REGISTRY["elu"] = lambda x: x
for kind in ("celu",):
    REGISTRY[kind] = lambda x: 2 * x

@dataclass
class Settings:
    steps: int = 3

class Net:
    """A net."""
    def __init__(self, width: int) -> None:
        self.width = width
    def forward(self, x):
        return activate(x) + helped(x)

def activate(x, kind="relu"):
    """Apply it."""
    return REGISTRY[kind](x) * Settings().steps

def unrelated(x):
    return x + 1
'''
NUMBERS = """
TWO = 2
TWO += 0

def helper(x):
    from science.deep import deepest
    return deepest(x)

def namesake():
    from science.deep import bystander as deepest
    return deepest()
"""
DEEP = """
def deepest(x):
    return x * 3

def bystander():
    return 4
"""
SOURCES = {"run": EXPERIMENT, "layers": LAYERS, "numbers": NUMBERS, "deep": DEEP}
SCOPE = ("science",)


@pytest.fixture
def science(tmp_path, monkeypatch):
    """Writes the package, with one replacement in one module, and gives its digest."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "science").mkdir()
    (tmp_path / "science" / "__init__.py").write_text('"""Science."""')

    def write(module="run", before="", after=""):
        for name, text in SOURCES.items():
            assert name != module or before in text
            changed_text = text.replace(before, after) if name == module and before else text
            (tmp_path / "science" / f"{name}.py").write_text(changed_text)
        return code_digest("science.run", scope=SCOPE)

    return write


def test_the_closure_holds_what_run_reaches_and_nothing_else(science):
    found = {name.removeprefix("science.") for name in science().functions}
    reached = {"run.run", "run.Config", "layers.Net", "layers.activate", "layers.REGISTRY"}
    reached |= {"layers.Settings", "layers.<module>", "layers.kind"}
    assert found == reached | {"numbers.TWO", "numbers.helper", "deep.deepest"}


@pytest.mark.parametrize(
    ("module", "before", "after", "named"),
    [
        ("deep", "x * 3", "x * 4", "deep.deepest"),
        ("numbers", "TWO = 2", "TWO = 3", "numbers.TWO"),
        ("numbers", "TWO += 0", "TWO += 1", "numbers.TWO"),
        ("layers", "steps: int = 3", "steps: int = 4", "layers.Settings"),
        ("layers", "lambda x: x\n", "lambda x: -x\n", "layers.<module>"),
        ("layers", "lambda x: 2 * x", "lambda x: 3 * x", "layers.<module> layers.kind"),
        ("layers", "max(x, 0)", "max(x, 1)", "layers.REGISTRY"),
        ("layers", "self.width = width", "self.width = 2 * width", "layers.Net"),
        ("layers", 'kind="relu"', 'kind="elu"', "layers.activate"),
        ("run", "self.rate", "2 * self.rate", "run.Config"),
        ("run", "def run(", "@cached\ndef run(", "run.run"),
    ],
)
def test_a_change_to_anything_reached_changes_the_digest_and_is_named(science, module, before, after, named):
    first, second = science(), science(module, before, after)
    assert first.digest != second.digest
    assert changed(first.functions, second.functions) == [f"science.{name}" for name in named.split()]


@pytest.mark.parametrize(
    ("module", "before", "after"),
    [
        ("layers", "return x + 1", "return x + 2"),
        ("deep", "return 4", "return 5"),
        ("run", "range(3)", "range(10)"),
        ("run", "rate: float = 0.1", "rate: float = 0.1\n    width: int = 8"),
        ("layers", '"""Apply it."""', '"""Apply the activation."""'),
        ("layers", '    """A net."""\n', ""),
        (
            "layers",
            "return activate(x) + helped(x)",
            "return (activate(x)  # first\n            + helped(x))",
        ),
        ("layers", "width: int) -> None", "width: float)"),
    ],
)
def test_what_is_not_reached_or_not_code_leaves_the_digest(science, module, before, after):
    assert science().digest == science(module, before, after).digest


def test_names_that_come_and_go_are_marked():
    assert changed({"a": "1", "b": "2"}, {"b": "3", "c": "4"}) == ["a (gone)", "b", "c (new)"]


def test_the_code_of_a_chapter_reaches_through_what_it_imports():
    code = "from invex.nn import initialise\nimport numpy as np\ninitialise.principled(3)\nnp.zeros(3)"
    functions = source_digest(code).functions
    assert "invex.nn.initialise.principled" in functions
    assert "invex.nn.initialise.he_normal_" not in functions


def test_an_unknown_function_is_refused():
    with pytest.raises(LookupError, match=r"no function nowhere in module invex\.data\.images"):
        code_digest("invex.data.images", "nowhere")


def test_nothing_is_imported():
    code = "from invex.lab.closure import code_digest as d; d('invex.data.images', 'load'); import sys; "
    check = "print([m for m in ('torch', 'invex.data.images', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code + check], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
