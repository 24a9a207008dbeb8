"""Experiments by name: the module, its configs at a profile, and a selection of them by field."""

import importlib
import typing
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, fields
from types import ModuleType
from typing import Any

from invex.lab.closure import PACKAGE, CodeDigest, code_digest, defines
from invex.lab.config import digest
from invex.lab.profiles import RECORDABLE


class Refused(ValueError):  # noqa: N818 - named after the finding
    """A name or value that the user gave does not exist; the message lists what does."""


@dataclass(frozen=True)
class Experiment:
    """A module with `Config`, `configs(profile)`, `run(configs, ...)` and perhaps `batch_key(config)`."""

    name: str
    module: ModuleType

    def __reduce__(self) -> tuple[typing.Any, ...]:
        return find, (self.module.__name__,)

    def code(self) -> CodeDigest:
        """Digest of the library code that its `run` depends on."""
        return code_digest(self.module.__name__)

    def configs(self, profile: str) -> list[Any]:
        """Its configs, the most valuable first.

        Raises:
            Refused: nothing is recorded at that profile.
        """
        if profile not in RECORDABLE:
            raise Refused(f"no configs at profile {profile!r}; there are {', '.join(RECORDABLE)}")
        return list(self.module.configs(profile))

    def batch_key(self, config: Any) -> Hashable:
        """What configs have in common that one call of `run` may be given together."""
        key = getattr(self.module, "batch_key", digest)
        return typing.cast(Hashable, key(config))


def names() -> list[str]:
    """Experiments in the library: its modules that define `configs`."""
    stems = sorted(path.stem for path in (PACKAGE / "experiments").glob("*.py"))
    return [stem for stem in stems if defines(f"invex.experiments.{stem}", "configs")]


def find(name: str) -> Experiment:
    """An experiment of the library by name, or a reader's own by its dotted module name.

    Raises:
        Refused: there is none.
    """
    if "." not in name and name not in names():
        raise Refused(f"no experiment {name!r}; there are {', '.join(names()) or 'none yet'}")
    try:
        module = importlib.import_module(name if "." in name else f"invex.experiments.{name}")
    except ModuleNotFoundError as error:
        raise Refused(f"no experiment {name!r}: {error}") from error
    if lacking := [part for part in ("Config", "configs", "run") if not hasattr(module, part)]:
        raise Refused(f"no experiment {name!r}: the module has no {lacking[0]}")
    return Experiment(name.rpartition(".")[2], module)


def select(experiment: Experiment, configs: Sequence[Any], only: str) -> list[Any]:
    """The configs with the given values, e.g. "method=icnn,seed=0,seed=1" (one field twice: either value).

    Raises:
        Refused: no such field, a value of another type, or one that no config has.
    """
    wanted: dict[str, list[Any]] = {}
    for name, value in _pairs(experiment, only):
        wanted.setdefault(name, []).append(value)
    for name, values in wanted.items():
        there = list(dict.fromkeys(getattr(config, name) for config in configs))
        if absent := [value for value in values if value not in there]:
            raise Refused(f"--only: no config has {name}={absent[0]}; there are {', '.join(map(str, there))}")
    return [c for c in configs if all(getattr(c, name) in values for name, values in wanted.items())]


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


def _pairs(experiment: Experiment, only: str) -> Iterator[tuple[str, Any]]:
    hints = typing.get_type_hints(experiment.module.Config)
    there = [field.name for field in fields(experiment.module.Config)]
    for pair in only.split(","):
        name, equals, text = pair.partition("=")
        if not equals or name.strip() not in there:
            raise Refused(
                f"--only: no field {name.strip()!r} in {experiment.name}; there are {', '.join(there)}"
            )
        yield name.strip(), _parse(name.strip(), text.strip(), hints[name.strip()])


def _parse(name: str, text: str, hint: Any) -> Any:
    options = typing.get_args(hint)
    if type(None) in options and text.lower() == "none":
        return None
    kinds = [kind for kind in options or (hint,) if kind in (bool, int, float, str)]
    if typing.get_origin(hint) is typing.Literal:
        kinds = list({type(value) for value in options})
    for kind in kinds:
        try:
            return {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
        except (ValueError, KeyError):
            continue
    raise Refused(f"--only: {name}={text!r} is not {' or '.join(k.__name__ for k in kinds) or 'selectable'}")
