import pytest

from vq_jax.cli import compare
from vq_jax.errors import InputError


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("a.py,b.py", ["a.py", "b.py"]),
        ("a.py:smoke,vq,b.py:smoke", ["a.py:smoke,vq", "b.py:smoke"]),
        ("x/a.py:fsq-8,smoke,y/a.py,b.py", ["x/a.py:fsq-8,smoke", "y/a.py", "b.py"]),
    ],
)
def test_a_comma_within_a_variant_starts_no_new_configuration(text, paths):
    assert compare.split_configs(text) == paths


def test_labels_are_the_shortest_that_differ():
    assert compare.labels(["x/a.py:smoke", "x/b.py:smoke"]) == ["a", "b"]
    assert compare.labels(["a.py:smoke,vq", "a.py"]) == ["a-smoke-vq", "a"]
    assert compare.labels(["a.py:smoke,vq", "a.py:smoke"]) == ["a-vq", "a"]
    assert compare.labels(["a.py:vq,x", "a.py:x,vq"]) == ["a-vq-x", "a-x-vq"]
    with pytest.raises(InputError, match="both called a-vq"):
        compare.names(["x/a.py:vq", "y/a.py:vq"])
