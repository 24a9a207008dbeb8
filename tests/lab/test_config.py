import dataclasses
import hashlib
import json
from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from invex.lab.config import as_dict, canonical, digest


@dataclass(frozen=True)
class Config:
    method: str = "icnn"
    rate: float = 1e-3
    widths: tuple[int, ...] = (8, 8)
    seed: int = 0


@dataclass(frozen=True)
class Grown(Config):
    momentum: float = 0.0


def test_digest_is_the_hash_of_the_canonical_json():
    config = Config("skip", seed=3)
    assert canonical(config) == '{"method":"skip","seed":3}'
    assert digest(config) == hashlib.sha256(b'{"method":"skip","seed":3}').hexdigest()[:16]


def test_a_new_field_at_its_default_changes_no_digest_but_any_other_value_does():
    assert digest(Grown("skip")) == digest(Config("skip"))
    assert digest(Grown("skip", momentum=0.9)) != digest(Config("skip"))


def test_a_mapping_with_a_default_of_its_own_is_left_out_at_it():
    @dataclass(frozen=True)
    class Named:
        rates: dict[str, float] = field(default_factory=lambda: {"slow": 0.1})

    assert canonical(Named()) == "{}"
    assert canonical(Named({"slow": 0.2})) == '{"rates":{"slow":0.2}}'
    with pytest.raises(ValueError, match=r"config field rates\.fast: NaN"):
        canonical(Named({"fast": float("nan")}))


def test_every_field_is_kept_in_full():
    assert as_dict(Config()) == {"method": "icnn", "rate": 1e-3, "widths": [8, 8], "seed": 0}


def test_an_integer_in_a_float_field_and_minus_zero_are_the_float():
    assert canonical(Config(rate=1)) == canonical(Config(rate=1.0)) == '{"rate":1.0}'
    assert canonical(Config(rate=-0.0)) == canonical(Config(rate=0.0)) == '{"rate":0.0}'


def test_infinities_are_texts():
    assert canonical(Config(rate=float("inf"))) == '{"rate":"inf"}'
    assert digest(Config(rate=float("inf"))) != digest(Config(rate=float("-inf")))


@pytest.mark.parametrize("bad", [float("nan"), np.float32(0.5), {1, 2}, 1j])
def test_what_json_cannot_hold_is_refused_by_field(bad):
    with pytest.raises((TypeError, ValueError), match="config field rate"):
        digest(Config(rate=bad))


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(), st.lists(st.integers()))
def test_canonical_json_reads_back_exactly(rate, seed, widths):
    config = Config("any", rate, tuple(widths), seed)
    back = as_dict(Config()) | json.loads(canonical(config))
    assert Config(back["method"], back["rate"], tuple(back["widths"]), back["seed"]) == config


@given(st.lists(st.floats(0, 1), min_size=2, max_size=2, unique=True))
def test_neighbouring_floats_have_digests_of_their_own(rates):
    assert digest(Config(rate=rates[0])) != digest(Config(rate=rates[1]))


def test_only_instances_of_dataclasses_are_configs():
    with pytest.raises(TypeError, match="instance of a dataclass"):
        as_dict(dataclasses.asdict(Config()))
