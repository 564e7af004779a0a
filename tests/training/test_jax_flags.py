"""Flags of JAX that users set: training works with them, or refuses in a line."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from configs import quickstart
from vq_jax import InputError
from vq_jax.ops import code_usage
from vq_jax.training import jax_flags
from vq_jax.training.setup import prepare

CONTEXTS = {
    "JAX_ENABLE_X64=True": lambda: jax.enable_x64(True),
    "JAX_DISABLE_JIT=True": lambda: jax.disable_jit(),
    "JAX_NUMPY_DTYPE_PROMOTION=strict": lambda: jax.numpy_dtype_promotion("strict"),
    "JAX_TRANSFER_GUARD_HOST_TO_DEVICE=disallow": (
        lambda: jax.transfer_guard_host_to_device("disallow")
    ),
    "JAX_TRANSFER_GUARD_DEVICE_TO_HOST=disallow": (
        lambda: jax.transfer_guard_device_to_host("disallow")
    ),
}


@pytest.mark.parametrize("flag", CONTEXTS)
def test_what_no_run_can_train_with_is_refused_by_name(flag):
    with CONTEXTS[flag](), pytest.raises(InputError, match=f"{flag} does not go with"):
        prepare(quickstart.get_config("smoke"))


def test_programs_that_use_a_model_refuse_what_they_cannot_do_without(call, tmp_path):
    for name in ("evaluate", "reconstruct", "tokenize"):
        flags = {"evaluate": (), "tokenize": (f"--out={tmp_path}",)}.get(
            name, ("--images=photos", f"--out={tmp_path}")
        )
        with jax.transfer_guard_device_to_host("disallow"):
            code, printed = call(name, f"--workdir={tmp_path}", *flags)
        assert code == 2
        assert f"=disallow does not go with {name}" in printed


def test_every_refused_flag_is_one_of_jax():
    for name in jax_flags.REFUSED:
        assert hasattr(jax.config, name)


def test_a_platform_that_is_not_there(monkeypatch):
    def missing():
        raise RuntimeError("Unknown backend cuda")

    monkeypatch.setattr(jax, "devices", missing)
    with pytest.raises(InputError, match=r"JAX_PLATFORMS=cpu .Unknown backend cuda"):
        prepare(quickstart.get_config("smoke"))


def test_unused_codes_are_no_nan_on_the_way_to_perplexity():
    counts = jnp.array([[3, 0, 1], [0, 0, 0]])
    probs = np.array([0.75, 0.25])
    expected = (np.exp(-np.sum(probs * np.log(probs))) + 1.0) / 2
    with jax.debug_nans(True), jax.debug_infs(True):
        found = code_usage.perplexity(counts)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
