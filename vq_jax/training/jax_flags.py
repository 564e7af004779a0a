"""JAX's flags, as users set them in the environment, that do not go with a program."""

from collections.abc import Mapping

import jax

from vq_jax.errors import InputError

NO_COPIES = ("disallow", "disallow_explicit")
GUARDED = "batches and metrics are copied between host and device"

# name -> the values that do not work, and why
GUARDS = {
    "jax_transfer_guard": (NO_COPIES, GUARDED),
    "jax_transfer_guard_host_to_device": (NO_COPIES, GUARDED),
    "jax_transfer_guard_device_to_host": (NO_COPIES, GUARDED),
}
REFUSED = {
    "jax_enable_x64": ((True,), "states and checkpoints are float32"),
    "jax_disable_jit": ((True,), "a step is compiled before the first batch is read"),
    "jax_numpy_dtype_promotion": (("strict",), "Optax multiplies floats by integers"),
    **GUARDS,
}


def check_flags(
    table: Mapping[str, tuple] = REFUSED, program: str = "training"
) -> None:
    """Raises InputError where a flag of JAX is set that a program can't work with.

    Programs that use a trained model mind GUARDS alone.
    """
    for name, (refused, reason) in table.items():
        value = getattr(jax.config, name)
        value = getattr(value, "value", value)  # of an enum
        if value in refused:
            raise InputError(
                f"{name.upper()}={value} does not go with {program}: {reason}. Unset "
                "it."
            )
