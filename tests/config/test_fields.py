"""A section against the class that describes it."""

import dataclasses
import re
from typing import Annotated, Literal, NotRequired, TypedDict

import numpy as np
import pytest
from ml_collections import ConfigDict

from vq_jax.config import fields, ranges
from vq_jax.errors import InputError


class Inner(TypedDict):
    scale: ranges.Weight
    kind: Literal["a", "b"]


class Outer(TypedDict):
    count: ranges.Count
    flag: bool
    sizes: Annotated[tuple[ranges.Count, ...], ranges.NotEmpty]
    inner: Inner
    extra: NotRequired[Inner]


@dataclasses.dataclass
class Built:
    count: ranges.Count
    rate: ranges.Fraction = 0.5


GOOD = {"count": 1, "flag": True, "sizes": (1, 2), "inner": {"scale": 0, "kind": "a"}}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"sizes": [1, 2]},  # as JSON keeps a tuple
        {"extra": {"scale": 1.5, "kind": "b"}},
    ],
)
def test_values_that_fit(changes):
    fields.check_section(Outer, GOOD | changes, "config.x")
    fields.check_section(Outer, ConfigDict(GOOD | changes), "config.x")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cuont": 1}, "config.x.cuont is unknown; did you mean config.x.count? conf"),
        ({"zzz": 1}, "config.x.zzz is unknown. config.x takes ['count', 'extra', 'fl"),
        ({"count": 0}, "config.x.count=0 must be in [1, 1000000000]."),
        ({"count": 1.0}, "config.x.count=1.0 must be an int."),
        ({"count": True}, "config.x.count=True must be an int."),
        ({"count": np.int64(1)}, "config.x.count=np.int64(1) must be an int."),
        ({"flag": 1}, "config.x.flag=1 must be True or False."),
        ({"sizes": ()}, "config.x.sizes=() must have one entry or more."),
        ({"sizes": 3}, "config.x.sizes=3 must be a tuple, as (1, 2), or (1,)."),
        ({"sizes": (1, 0)}, "config.x.sizes=0 must be in [1, 1000000000]."),
        ({"inner": 3}, "config.x.inner=3 must be a section of fields."),
        ({"inner": {"scale": 1.0}}, "config.x.inner.kind is missing; config.x.inner t"),
        (
            {"inner": {"scale": float("nan"), "kind": "a"}},
            "config.x.inner.scale=nan must be a finite number.",
        ),
        (
            {"extra": {"scale": 1.0, "kind": "c"}},
            "config.x.extra.kind='c' is unknown; choose from ['a', 'b'].",
        ),
    ],
)
def test_what_does_not_fit_is_named_by_its_path(changes, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        fields.check_section(Outer, GOOD | changes, "config.x")


def test_fields_with_a_default_may_be_missing_and_derived_ones_must_be():
    fields.check_section(Built, {"count": 1}, "config.x")
    fields.check_section(Built, {}, "config.x", derived=["count"])
    with pytest.raises(InputError, match=r"^config.x.count is missing; the owner take"):
        fields.check_section(Built, {}, "config.x", owner="the owner")
    with pytest.raises(InputError, match=r"^config.x.count is unknown\. .* Do that\."):
        fields.check_section(
            Built, {"count": 1}, "config.x", derived=["count"], advice=" Do that."
        )
