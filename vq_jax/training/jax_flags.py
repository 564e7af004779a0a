"""JAX's flags, as users set them in the environment, with which no run can train."""

import jax

from vq_jax.errors import InputError

NO_COPIES = ("disallow", "disallow_explicit")
GUARDED = "batches and metrics are copied between host and device"

# name -> the values that do not work, and why
REFUSED = {
    "jax_enable_x64": ((True,), "states and checkpoints are float32"),
    "jax_disable_jit": ((True,), "a step is compiled before the first batch is read"),
    "jax_numpy_dtype_promotion": (("strict",), "Optax multiplies floats by integers"),
    "jax_transfer_guard": (NO_COPIES, GUARDED),
    "jax_transfer_guard_host_to_device": (NO_COPIES, GUARDED),
    "jax_transfer_guard_device_to_host": (NO_COPIES, GUARDED),
}


def check_flags() -> None:
    """Raises InputError where a flag of JAX is set that no run can train with."""
    for name, (refused, reason) in REFUSED.items():
        value = getattr(jax.config, name)
        value = getattr(value, "value", value)  # of an enum
        if value in refused:
            raise InputError(
                f"{name.upper()}={value} does not go with training: {reason}. Unset it."
            )
