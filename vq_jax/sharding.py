"""The device mesh; the only file that names its axes."""

from collections.abc import Sequence
from typing import Annotated, TypedDict

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from vq_jax.config import ranges
from vq_jax.errors import InputError

DATA, FSDP = "data", "fsdp"

# Splitting a small array costs more in communication than it saves in memory.
MIN_SHARDED_SIZE = 2**14


class MeshFields(TypedDict):
    """The section `config.mesh`: numbers of devices; data=-1 takes what is left."""

    data: Annotated[int, ranges.Range(-1, 10**6)]
    fsdp: Annotated[int, ranges.Range(1, 10**6)]


def make_mesh(
    *, data: int, fsdp: int, devices: Sequence[jax.Device] | None = None
) -> Mesh:
    """A mesh of `data` x `fsdp` devices, by default of all; data=-1 takes what is left.

    Raises:
        InputError: the product is not the number of devices, or there are none.
    """
    devices = _all_devices() if devices is None else devices
    found = len(devices)
    if fsdp < 1 or (data == -1 and found % fsdp):
        raise InputError(
            f"config.mesh.fsdp={fsdp} must divide the {found} devices there are."
        )
    axes = (found // fsdp if data == -1 else data, fsdp)
    if data < -1 or axes[0] * axes[1] != found:
        raise InputError(
            f"mesh data={data} x fsdp={fsdp} needs {data * fsdp} devices, found "
            f"{found}. Set config.mesh.data=-1 to use all devices, or make "
            "config.mesh.data x config.mesh.fsdp equal to their number."
        )
    auto = (AxisType.Auto,) * 2
    return jax.make_mesh(axes, (DATA, FSDP), axis_types=auto, devices=devices)


def _all_devices() -> list[jax.Device]:
    try:
        return jax.devices()
    except (RuntimeError, AssertionError) as error:  # the latter has no message
        raise InputError(
            f"JAX finds no devices for JAX_PLATFORMS={jax.config.jax_platforms} "
            f"({str(error) or 'no such kind'}); unset it to take what there is."
        ) from error


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
