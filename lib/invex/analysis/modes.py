"""Functions that take derivatives inside work in `torch.inference_mode`, too."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")


def outside_inference(call: Callable[P, R]) -> Callable[P, R]:
    """`call` outside `torch.inference_mode`, with copies of tensors made in it, which have no derivatives."""

    @wraps(call)
    def outside(*args: P.args, **options: P.kwargs) -> R:
        with torch.inference_mode(False):
            return call(*map(_plain, args), **{name: _plain(value) for name, value in options.items()})

    return outside


def _plain(value: Any) -> Any:
    return value.clone() if isinstance(value, Tensor) and value.is_inference() else value
