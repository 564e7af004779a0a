"""The device mesh; the only file that names its axes."""

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from ml_collections import ConfigDict

from vq_jax.errors import InputError

DATA, FSDP = "data", "fsdp"

# Splitting a small array costs more in communication than it saves in memory.
MIN_SHARDED_SIZE = 2**14


def make_mesh(config: ConfigDict) -> Mesh:
    """A mesh of `config.data` x `config.fsdp` devices; data=-1 takes what is left.

    Raises:
        InputError: the product is not the number of devices.
    """
    found = jax.device_count()
    fsdp = config.fsdp
    data = found // fsdp if config.data == -1 and fsdp > 0 else config.data
    if data * fsdp != found or data < 1:
        raise InputError(
            f"mesh data={config.data} x fsdp={fsdp} needs {abs(data * fsdp)} devices, "
            f"found {found}. Set config.mesh.data=-1 to use all devices, or make "
            "config.mesh.data x config.mesh.fsdp equal to their number."
        )
    return jax.make_mesh((data, fsdp), (DATA, FSDP), axis_types=(AxisType.Auto,) * 2)


def check_batch_size(batch_size: int, mesh: Mesh, where: str) -> None:
    """Raises InputError where a batch does not divide over the devices."""
    if batch_size < 1 or batch_size % mesh.size:
        raise InputError(
            f"{where}={batch_size} does not divide over {mesh.size} devices; use a "
            f"multiple of {mesh.size}."
        )


def replicated(mesh: Mesh) -> NamedSharding:
    """The same array on every device."""
    return NamedSharding(mesh, PartitionSpec())


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """The leading axis split over all devices."""
    return NamedSharding(mesh, PartitionSpec((DATA, FSDP)))


def state_shardings(abstract_state, mesh: Mesh):
    """Shardings of a state: large arrays split over `fsdp` along their longest axis."""
    shards = mesh.shape[FSDP]

    def one(leaf):
        axes = [i for i, n in enumerate(leaf.shape) if n % shards == 0]
        if shards == 1 or not axes or leaf.size < MIN_SHARDED_SIZE:
            return replicated(mesh)
        longest = max(axes, key=lambda i: leaf.shape[i])
        spec = [FSDP if i == longest else None for i in range(leaf.ndim)]
        return NamedSharding(mesh, PartitionSpec(*spec))

    return jax.tree.map(one, abstract_state)


def with_shardings(abstract_state, mesh: Mesh):
    """Shapes and dtypes of a state together with where its arrays go."""
    return jax.tree.map(
        lambda leaf, s: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=s),
        abstract_state,
        state_shardings(abstract_state, mesh),
    )


def global_batch(batch: dict[str, np.ndarray], mesh: Mesh) -> dict[str, jax.Array]:
    """Global arrays from this process's part of a batch."""
    sharding = batch_sharding(mesh)
    return {
        name: jax.make_array_from_process_local_data(sharding, value)
        for name, value in batch.items()
    }
