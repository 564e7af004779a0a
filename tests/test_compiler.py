import jax
import pytest

from vq_jax import compiler


@pytest.fixture(autouse=True)
def forgetful():
    compiler._known.cache_clear()
    yield
    compiler._known.cache_clear()


def test_cpus_have_options_that_their_compiler_takes():
    options = compiler.options(jax.devices()[0])
    assert options == compiler.OPTIONS["cpu"]
    jax.jit(lambda x: 2 * x).lower(1.0).compile(compiler_options=options)


def test_a_platform_without_options_has_none(monkeypatch):
    monkeypatch.delitem(compiler.OPTIONS, "cpu")
    assert compiler.options(jax.devices()[0]) == {}


def test_a_release_of_xla_gets_the_options_that_it_knows(monkeypatch):
    known = compiler.OPTIONS["cpu"]
    unknown = {"xla_cpu_of_another_day": "1"}
    monkeypatch.setitem(compiler.OPTIONS, "cpu", {**unknown, **known})
    assert compiler.options(jax.devices()[0]) == known


def test_its_jit_has_the_values_and_arguments_of_jax():
    doubled = compiler.jit(lambda x, times: times * x, static_argnames="times")
    assert doubled(1.5, times=2) == 3.0
