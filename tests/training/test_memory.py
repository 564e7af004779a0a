import jax
import pytest

from configs import quickstart
from vq_jax.errors import InputError
from vq_jax.training import memory
from vq_jax.training.setup import prepare


def _state(codebook_size):
    config = quickstart.get_config("smoke,vq")
    config.model.quantizer.codebook_size = codebook_size
    return prepare(config).abstract_state


def test_a_state_that_no_device_holds_names_its_largest_array(monkeypatch):
    monkeypatch.setattr(memory, "_bytes_for_a_device", lambda: 2.0**30)
    with pytest.raises(InputError, match=r"codes.* alone has 0.5. Make config.model"):
        memory.check_fits(_state(2**24))


def test_a_state_that_fits_is_accepted():
    memory.check_fits(_state(64))


def test_an_array_that_is_divided_counts_its_part():
    mesh = jax.make_mesh((8,), ("x",))
    spec = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("x"))
    leaf = jax.ShapeDtypeStruct((16, 3), "bfloat16", sharding=spec)
    assert memory._bytes_of(leaf) == 2 * 3 * 2
