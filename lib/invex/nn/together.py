"""Many small models of one architecture as one module: their parameters side by side, their passes as one."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state


class Together(nn.Module):
    """Modules of one architecture, trained and evaluated at once (`torch.func.vmap`).

    Args:
        modules: at least one; their parameters are copied, buffers too.
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        super().__init__()
        parameters, buffers = stack_module_state(list(modules))
        self.names, self.buffer_names = list(parameters), list(buffers)
        self.stacked = nn.ParameterList(parameters[name].detach().clone() for name in self.names)
        for number, name in enumerate(self.buffer_names):
            self.register_buffer(f"buffer_{number}", buffers[name])
        object.__setattr__(self, "pattern", modules[0])  # no part of this module: its parameters are not ours

    def forward(self, *arguments: Tensor) -> Any:
        """What each module gives of its row of every argument, (modules, ...): results side by side."""
        state: dict[str, Tensor] = dict(zip(self.names, self.stacked, strict=True))
        state |= {name: getattr(self, f"buffer_{number}") for number, name in enumerate(self.buffer_names)}

        def one(own: dict[str, Tensor], *rows: Tensor) -> Any:
            return functional_call(self.pattern, own, rows)

        return torch.func.vmap(one)(state, *arguments)
