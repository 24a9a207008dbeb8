"""Values that a reader types, checked against what a chapter's cell declares and remarks."""

import pytest
from invex.press import parameters

TEXT = """---
jupytext: {text_representation: {extension: .md, format_name: myst}}
kernelspec: {display_name: Python 3, language: python, name: python3}
---

# A chapter

```{code-cell} ipython3
:tags: [parameters]
profile = "recorded"
depth = 6  # principled layers, at least 4
share = 0.5  # at least 0 and at most 1
seed = 0
```
"""
DEFAULTS, REMARKS = parameters.declared(TEXT), parameters.remarks(TEXT)


def test_a_remark_is_what_stands_beside_a_parameter() -> None:
    assert REMARKS == {"depth": "principled layers, at least 4", "share": "at least 0 and at most 1"}


@pytest.mark.parametrize(
    ("pair", "said"),
    [
        ("depth=-3", r"depth=-3 \(default 6; principled layers, at least 4\): it must be at least 4"),
        ("share=1.5", r"share=1.5 .*: it must be at least 0 and at most 1"),
        ("share=-1", "it must be at least 0"),
    ],
)
def test_a_value_outside_what_is_allowed_is_refused_by_name(pair: str, said: str) -> None:
    with pytest.raises(parameters.ParameterError, match=said):
        parameters.parse([pair], DEFAULTS, REMARKS)


@pytest.mark.parametrize("pair", ["depth=4", "share=0", "share=1", "seed=-1"])
def test_a_value_at_its_bound_or_without_one_passes(pair: str) -> None:
    name, _, text = pair.partition("=")
    assert parameters.parse([pair], DEFAULTS, REMARKS) == {name: float(text)}
