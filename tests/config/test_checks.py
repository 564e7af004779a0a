import pytest

from vq_jax.config import checks, paths, renamed
from vq_jax.errors import InputError


def test_a_choice_is_returned_or_named_with_the_choices():
    table = {"b": 1, "a": 2}
    assert checks.choose(table, "b", "config.x") == 1
    with pytest.raises(InputError, match=r"^config.x='c' is unknown; .*\['a', 'b'\]"):
        checks.choose(table, "c", "config.x")


@pytest.mark.parametrize("value", [-1, 11, float("nan")])
def test_a_number_out_of_range_is_named_with_the_range(value):
    with pytest.raises(InputError, match=r"^config.n=\S+ must be in \[0, 10\]"):
        checks.check_range(value, 0, 10, where="config.n")


def test_both_ends_are_in_range():
    for value in (0, 10):
        checks.check_range(value, 0, 10, where="config.n")
    checks.check_range(10.0**9, 0, where="config.n")


def test_paths_go_there_and_back():
    nested = {"a": {"b": 1, "c": {"d": (2,)}}, "e": 3}
    flat = {"a.b": 1, "a.c.d": (2,), "e": 3}
    assert paths.flatten(nested) == flat
    assert paths.unflatten(flat) == nested


def test_below_takes_whole_words():
    assert paths.below("a.b", ("a",))
    assert paths.below("a", ("a",))
    assert not paths.below("ab.c", ("a",))


def test_moved_fields_have_their_path_of_today():
    assert renamed.current_path("eval.every") == "evaluations.reconstruction.every"
    assert renamed.current_path("image_every") == "evaluations.pictures.every"
    assert renamed.current_path("evaluations.x") == "evaluations.x"
