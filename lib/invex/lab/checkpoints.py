"""The state of a run that lasts longer than one sitting: a safetensors file, named by config and code."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from invex.lab.errors import Failed

State = dict[str, Any]
EVERY = 120.0  # seconds between two states


class Checkpoint:
    """Where one run leaves its state and goes on from it (`invex.nn.fit.Keeper`).

    The file is written whole or not at all. It keeps how long the run took so far and in how many stretches,
    for the record's provenance.

    Args:
        path: of the file; its folder is made.
        every: seconds between two states.
    """

    def __init__(self, path: Path, every: float = EVERY) -> None:
        self.path, self.every = path, every
        self.start = self.saved = time.monotonic()
        self.before = {"seconds": 0.0, "stretches": 0}

    def load(self) -> State | None:
        """The state that was saved last; None where there is none.

        Raises:
            Failed: the file cannot be read.
        """
        self.start = self.saved = time.monotonic()
        if not self.path.exists():
            return None
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.path, "pt") as file:
                self.before = json.loads(file.metadata()["origin"])
                names = file.keys()
                return {name: file.get_tensor(name) for name in names}
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise Failed(
                f"{self.path}: not a readable state ({error}); delete it to begin the run anew"
            ) from error

    def save(self, state: Callable[[], State], *, now: bool = False) -> None:
        """Write the state if one is due, or at once."""
        if not now and time.monotonic() - self.saved < self.every:
            return
        from safetensors.torch import save

        from invex.lab.records import write

        origin = {"origin": json.dumps(self.origin() | {"seconds": self.seconds})}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = {name: tensor.detach().cpu().contiguous() for name, tensor in state().items()}
        write(self.path, self.path.parent, save(content, origin))
        self.saved = time.monotonic()

    @property
    def seconds(self) -> float:
        """What the run took so far, in all its stretches."""
        return self.before["seconds"] + time.monotonic() - self.start

    def origin(self) -> dict[str, Any]:
        """For a record: the seconds of earlier stretches, and how many stretches there were with this one."""
        return {"seconds": self.before["seconds"], "stretches": int(self.before["stretches"]) + 1}

    def drop(self) -> None:
        """Remove the state of a run that is recorded."""
        self.path.unlink(missing_ok=True)
