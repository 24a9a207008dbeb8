"""A frozen config -> canonical JSON -> digest: the name of a run.

Policy. Fields at their default are left out, so that a new field with a default changes no digest (a record
keeps every field in full, and one recorded under another default is not taken for the run:
`records.Store.get`). Floats are written by `repr`, which reads back exactly; an integer in a field annotated
`float` is that float; -0.0 is 0.0; infinities are the texts "inf" and "-inf". NaN is refused, and so is every
type that JSON does not have, by field.
"""

import hashlib
import json
import math
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Any

_hints = cache(typing.get_type_hints)


def as_dict(config: Any) -> dict[str, Any]:
    """Every field of a config as plain JSON values (tuples become lists), in the order of declaration.

    Raises:
        TypeError, ValueError: a field holds something that JSON cannot hold exactly; the message names it.
    """
    if not is_dataclass(config) or isinstance(config, type):
        raise TypeError(f"a config is an instance of a dataclass, not {type(config).__name__}")
    hints = _hints(config.__class__)
    return {f.name: _plain(getattr(config, f.name), f.name, hints[f.name]) for f in fields(config)}


def canonical(config: Any) -> str:
    """Canonical JSON of a config: sorted keys, no spaces, fields at their default left out."""
    values, hints = as_dict(config), _hints(config.__class__)
    for field in fields(config):
        default = _default(field)
        if default is not MISSING and values[field.name] == _plain(default, field.name, hints[field.name]):
            del values[field.name]
    return dumps(values)


def digest(config: Any) -> str:
    """First 16 hex digits of the SHA-256 of the canonical JSON."""
    return sha256(canonical(config))[:16]


def sha256(text: str) -> str:
    """The SHA-256 of a text, in hex digits."""
    return hashlib.sha256(text.encode()).hexdigest()


def dumps(value: Any) -> str:
    """JSON text of plain values with sorted keys and no spaces; refuses NaN and infinities."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _default(field: Field[Any]) -> Any:
    if field.default is not MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not MISSING else MISSING


def _plain(value: Any, name: str, hint: Any = None) -> Any:
    if type(value) is int and hint is float:
        value = float(value)
    if value is None or type(value) in (str, bool, int):
        return value
    if type(value) is float:
        if math.isnan(value):
            raise ValueError(f"config field {name}: NaN, which is not equal to itself, names no run")
        return str(value) if math.isinf(value) else value + 0.0  # -0.0 becomes 0.0
    if type(value) in (tuple, list):
        return [_plain(item, f"{name}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, Mapping) and all(type(key) is str for key in value):
        return {key: _plain(item, f"{name}.{key}") for key, item in value.items()}
    raise TypeError(f"config field {name}: {type(value).__name__} is not a plain JSON value")
