"""Experiments by name: the module, its configs at a profile, and a selection of them by field."""

import importlib
import typing
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from inspect import signature
from types import ModuleType
from typing import Any

from invex.lab.closure import PACKAGE, CodeDigest, code_digest, defines
from invex.lab.config import digest
from invex.lab.errors import Refused, one_of
from invex.lab.profiles import RECORDABLE

LIBRARY = "invex.experiments."


@dataclass(frozen=True)
class Experiment:
    """A module with `Config`, `configs(profile)`, `run(configs, ...)`.

    It may have `batch_key(config)`, of runs that are computed together, and `reduced(config)`, the words that
    say what its configs of the profile ``reduced`` have less of. A `run` with a parameter `keeper` is given a
    function from a config to its `invex.lab.checkpoints.Checkpoint`.
    """

    name: str
    module: ModuleType

    def __reduce__(self) -> tuple[typing.Any, ...]:
        return find, (self.module.__name__,)

    def code(self) -> CodeDigest:
        """Digest of the library code that its `run` depends on."""
        return code_digest(self.module.__name__)

    def configs(self, profile: str) -> list[Any]:
        """Its configs, the most valuable first; none at ``reduced`` where it says nothing of what is reduced.

        Raises:
            Refused: nothing is recorded at that profile.
        """
        known = one_of(RECORDABLE, "configs at profile", profile)
        if known == "reduced" and not hasattr(self.module, "reduced"):
            return []
        return list(self.module.configs(known))

    def reduced(self, config: Any) -> str:
        """What a config of the profile ``reduced`` has less of, in words."""
        return str(self.module.reduced(config))

    @property
    def continues(self) -> bool:
        """Whether its `run` takes a keeper, so that a run goes on where an earlier sitting ended."""
        return "keeper" in signature(self.module.run).parameters

    def batches(self, configs: Sequence[Any]) -> list[list[Any]]:
        """The configs in groups that one call of `run` may be given together."""
        key: typing.Callable[[Any], Hashable] = getattr(self.module, "batch_key", digest)
        groups: dict[Hashable, list[Any]] = {}
        for config in configs:
            groups.setdefault(key(config), []).append(config)
        return list(groups.values())


def names() -> list[str]:
    """Experiments in the library: its modules that define `configs`."""
    stems = sorted(path.stem for path in (PACKAGE / "experiments").glob("*.py"))
    return [stem for stem in stems if defines(f"invex.experiments.{stem}", "configs")]


def find(name: str) -> Experiment:
    """An experiment of the library by name, or a reader's own by that of its module.

    A reader's own keeps the module's whole name, so that its records never mix with the library's.

    Raises:
        Refused: there is none, or it is not made as one.
    """
    place = f"{LIBRARY}{name}" if name in names() else name
    try:
        if not all(map(str.isidentifier, place.split("."))):
            raise ImportError("not the name of a module")
        module = importlib.import_module(place)
    except ImportError as error:
        there = f"{', '.join(names())}, and modules of yours in this folder or on PYTHONPATH"
        raise Refused(f"no experiment {name!r} ({error}); there are {there}") from error
    if lacking := [part for part in ("Config", "configs", "run") if not hasattr(module, part)]:
        raise Refused(f"no experiment {name!r}: the module has no {lacking[0]}")
    if not _is_config(module.Config):
        raise Refused(f"no experiment {name!r}: its Config is not a frozen dataclass with a field `seed`")
    return Experiment(place.removeprefix(LIBRARY), module)


def _is_config(found: Any) -> bool:
    return is_dataclass(found) and found.__hash__ is not None and "seed" in {f.name for f in fields(found)}


def select(experiment: Experiment, configs: Sequence[Any], wanted: Mapping[str, Any]) -> list[Any]:
    """The configs whose fields have the wanted values (a list: one of them), given as such or as text.

    Raises:
        Refused: no such field.
    """
    known = [field.name for field in fields(experiment.module.Config)]
    for name, values in wanted.items():
        field, some = one_of(known, "field", name), values if isinstance(values, list) else [values]
        configs = [config for config in configs if _is_one_of(getattr(config, field), some)]
    return list(configs)


def only(experiment: Experiment, configs: Sequence[Any], pairs: str) -> list[Any]:
    """The configs with the values of "method=icnn,seed=0,seed=1" (one field twice: either value).

    Raises:
        Refused: no such field, or a value that no config has.
    """
    wanted: dict[str, list[str]] = {}
    for name, _, value in (pair.partition("=") for pair in pairs.split(",")):
        wanted.setdefault(name.strip(), []).append(value.strip())
        if not select(experiment, configs, {name.strip(): value.strip()}):
            there = dict.fromkeys(str(getattr(config, name.strip())) for config in configs)
            one_of(there, f"config with {name.strip()}", value.strip())
    return select(experiment, configs, wanted)


def shard(configs: Sequence[Any], part: str) -> list[Any]:
    """Every N-th config from the I-th on, for "I/N".

    Raises:
        Refused: not of that form, or I is not within 1..N.
    """
    first, _, count = part.partition("/")
    if not (first.isdecimal() and count.isdecimal() and 1 <= int(first) <= int(count)):
        raise Refused(f"--shard {part!r} is not I/N with I from 1 to N")
    return list(configs[int(first) - 1 :: int(count)])


def seconds(text: str) -> float:
    """Seconds in "90s", "20m", "1.5h" or "90".

    Raises:
        Refused: not a length of time.
    """
    unit = {"s": 1, "m": 60, "h": 3600}.get(text[-1:], 0)
    try:
        value = float(text[:-1]) * unit if unit else float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise Refused(f"--budget {text!r} is not a length of time such as 90s, 20m or 1.5h")
    return value


def _is_one_of(value: Any, some: Sequence[Any]) -> bool:
    return value in some or str(value).lower() in [str(each).lower() for each in some]
