import pytest

from vq_jax.metrics.joined import joined, prefixed


def test_groups_become_one_and_nothing_is_lost():
    assert joined({"a": 1}, {}, {"b": 2}) == {"a": 1, "b": 2}
    with pytest.raises(ValueError, match=r"two metrics are called \['a'\]"):
        joined({"a": 1}, {"a": 1})


def test_a_prefix_comes_before_each_name():
    assert prefixed("train/", {"a": 1}) == {"train/a": 1}
