"""Forward, loss and gradients against independent implementations in PyTorch.

Goldens are float32 on a CPU: sums of 6 to 32 products in another order, so relative
differences of some 1e-6 are rounding; tolerances leave a factor of ten. Deliberate
differences stand where they are tested, and in docs/quirks.md.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vq_jax.models.quantizers import base
from vq_jax.models.quantizers.binary_spherical import BinarySphericalQuantizer
from vq_jax.models.quantizers.finite_scalar import FiniteScalarQuantizer
from vq_jax.models.quantizers.gumbel import GumbelQuantizer
from vq_jax.models.quantizers.index_backprop import IndexBackpropagationQuantizer
from vq_jax.models.quantizers.lookup_free import LookupFreeQuantizer
from vq_jax.models.quantizers.multi_scale import MultiScaleQuantizer
from vq_jax.models.quantizers.product import ProductQuantizer
from vq_jax.models.quantizers.residual import ResidualQuantizer
from vq_jax.models.quantizers.sim_vector import SimVectorQuantizer
from vq_jax.models.quantizers.vector import VectorQuantizer
from vq_jax.models.quantizers.vector_ema import EmaVectorQuantizer
from vq_jax.ops import codebook, entropy, estimators, resample
from vq_jax.testing.goldens import load

SIZES = {"codebook_size": 16, "code_dim": 6}


def image(array):
    """[2, 16, ...] as a grid [2, 4, 4, ...]."""
    return jnp.asarray(array.reshape(2, 4, 4, *array.shape[2:]))


def close(found, wanted, rtol=2e-5):
    np.testing.assert_allclose(
        np.asarray(found).reshape(wanted.shape), wanted, rtol=rtol, atol=rtol / 10
    )


def check_pass(module, variables, golden, *, loss=None, rtol=2e-5):
    """Output, indices, loss and the gradient of z; returns that of the parameters."""
    loss = golden["loss"] if loss is None else loss

    def objective(params, z):
        out = module.apply({**variables, "params": params}, z, train=True)
        return jnp.sum(image(golden["w"]) * out.z_q) + out.loss, out

    gradient = jax.grad(objective, argnums=(0, 1), has_aux=True)
    grads, out = gradient(variables.get("params", {}), image(golden["z"]))
    np.testing.assert_array_equal(
        np.asarray(out.indices).reshape(golden["indices"].shape), golden["indices"]
    )
    close(out.z_q, golden["z_q"])
    close(out.loss, loss, rtol)
    close(grads[1], golden["z_grad"], rtol)
    return grads[0]


@pytest.mark.parametrize("name", ["vq", "vq_rotation"])
def test_gradient_codes(name):
    golden = load(name)
    estimator = "rotation" if name == "vq_rotation" else "straight_through"
    # There one squared error moves both sides: here two, of weight 1 each, whose sum
    # is twice as large.
    module = VectorQuantizer(**SIZES, commitment_weight=1.0, estimator=estimator)
    variables = {"params": {"codes": jnp.asarray(golden["codes"][0])}}
    grads = check_pass(module, variables, golden, loss=2 * golden["loss"])
    close(grads["codes"], golden["codes_grad"][0])


@pytest.mark.parametrize("name", ["vq_ema", "vq_ema_cosine"])
def test_averaged_codes_and_their_update(name):
    golden = load(name)
    module = EmaVectorQuantizer(
        **SIZES,
        commitment_weight=1.0,
        decay=0.8,
        restart_threshold=0.0,
        distance="cosine" if name == "vq_ema_cosine" else "euclidean",
    )
    state = codebook.new_codebook(jnp.asarray(golden["codes"][0]))
    variables = {base.STATE: {"state": state}}
    check_pass(module, variables, golden)
    _, collections = module.apply(
        variables, image(golden["z"]), train=True, mutable=[base.STATISTICS]
    )
    _, updated = module.apply(
        {**variables, **collections}, method="update", mutable=[base.STATE]
    )
    after = updated[base.STATE]["state"]
    close(after.counts, golden["counts_after"][0])
    # Theirs are divided by their length again; ours at the next search.
    close(
        module.apply({base.STATE: {"state": after}}, after.codes, method="normalised"),
        golden["codes_after"][0],
    )


def test_diveq_without_noise():
    golden = load("diveq")
    z, codes, w = (jnp.asarray(golden[name]) for name in ("z", "codes", "w"))

    def objective(z, codes):
        return jnp.sum(w * estimators.diveq(z, codes, jnp.zeros_like(z)))

    grads = jax.grad(objective, argnums=(0, 1))(z, codes)
    close(estimators.diveq(z, codes, jnp.zeros_like(z)), golden["z_q"])
    close(grads[0], golden["z_grad"])
    close(grads[1], golden["codes_grad"])


def test_orthogonality():
    golden = load("orthogonality")
    close(entropy.orthogonality(jnp.asarray(golden["codes"][0])), golden["value"])


@pytest.mark.parametrize(
    ("name", "bound"),
    [("fsq_8555", "atanh"), ("fsq_75555", "atanh"), ("fsq_symmetric", "symmetric")],
)
def test_finite_scalars(name, bound):
    golden = load(name)
    levels = tuple(int(level) for level in golden["levels"])
    module = FiniteScalarQuantizer(levels=levels, bound=bound)
    check_pass(module, {}, golden)
    indices = jnp.arange(module.codebook_size).reshape(1, 1, -1)
    close(module.apply({}, indices, method="lookup"), golden["table"])


@pytest.mark.parametrize("name", ["lfq", "bsq"])
def test_binary_codes(name):
    family = {"lfq": LookupFreeQuantizer, "bsq": BinarySphericalQuantizer}[name]
    module = family(num_bits=6, bit_order="big", entropy_gamma=1.5)
    # Logits of 200 z: their rounding errors are as many times larger.
    check_pass(module, {}, load(name), rtol=5e-4)


def test_residual_levels():
    golden = load("residual_vq")
    module = ResidualQuantizer(
        inner=VectorQuantizer(**SIZES, commitment_weight=1.0), num_levels=3
    )
    params = {
        f"levels_{i}": {"codes": jnp.asarray(codes)}
        for i, codes in enumerate(golden["codes"])
    }
    out = module.apply({"params": params}, image(golden["z"]), train=True)
    np.testing.assert_array_equal(
        out.indices.reshape(golden["indices"].shape), golden["indices"]
    )
    close(out.z_q, golden["z_q"])
    # Theirs are a loss a level, and one squared error for both sides; ours the mean.
    close(out.loss, 2 * golden["losses"].mean())
    grad = jax.grad(
        lambda z: jnp.sum(
            image(golden["w"]) * module.apply({"params": params}, z, train=True).z_q
        )
    )(image(golden["z"]))
    # Theirs passes the gradient once a level: three times.
    close(grad, golden["w"])


def test_residual_scalars():
    golden = load("residual_fsq")
    module = ResidualQuantizer(
        inner=FiniteScalarQuantizer(levels=(5, 5, 3), bound="clip"), num_levels=3
    )
    # They squash z into the range of the first grid before its first level.
    z = golden["clamp"] * np.tanh(golden["z"] / golden["clamp"])
    out = module.apply({}, image(z), train=False)
    np.testing.assert_array_equal(
        out.indices.reshape(golden["indices"].shape), golden["indices"]
    )
    close(out.z_q, golden["z_q"])


@pytest.mark.parametrize("name", ["simvq", "simvq_rotation"])
def test_mapped_codes(name):
    golden = load(name)
    estimator = "rotation" if name == "simvq_rotation" else "straight_through"
    module = SimVectorQuantizer(**SIZES, estimator=estimator)
    variables = {
        "params": {"transform": {"kernel": jnp.asarray(golden["weight"].T)}},
        base.STATE: {"codes": jnp.asarray(golden["frozen"])},
    }
    grads = check_pass(module, variables, golden)
    close(grads["transform"]["kernel"], golden["weight_grad"].T)


def test_index_backpropagation():
    golden = load("ibq")
    module = IndexBackpropagationQuantizer(**SIZES, entropy_weight=0.0)
    variables = {"params": {"codes": jnp.asarray(golden["codes"])}}
    grads = check_pass(module, variables, golden)
    close(grads["codes"], golden["codes_grad"])


@pytest.mark.parametrize("name", ["gumbel", "gumbel_hard"])
def test_relaxed_samples(name, monkeypatch):
    golden = load(name)
    module = GumbelQuantizer(
        **SIZES,
        temperature=0.7,
        anneal="constant",
        hard_in_forward=name == "gumbel_hard",
    )
    noise = image(golden["noise"])
    monkeypatch.setattr(jax.random, "gumbel", lambda key, shape: noise)
    logits = {"kernel": jnp.asarray(golden["kernel"]), "bias": jnp.zeros(16)}
    variables = {
        "params": {"codes": jnp.asarray(golden["codes"]), "logits": logits},
        base.STATE: {"step": jnp.zeros((), jnp.int32)},
    }
    module = _WithKeys(module)
    grads = check_pass(module, variables, golden)
    close(grads["codes"], golden["codes_grad"])
    close(grads["logits"]["kernel"], golden["kernel_grad"])


class _WithKeys:
    """A module whose passes get a key; the noise comes from the golden."""

    def __init__(self, module):
        self._module = module

    def apply(self, *args, **kwargs):
        rngs = {"codebook": jax.random.key(0)}
        return self._module.apply(*args, **kwargs, rngs=rngs)


def test_grids_are_resampled_alike():
    golden = load("interpolate")
    matrices = {"area": resample.area_matrix, "bicubic": resample.bicubic_matrix}
    names = {key.rsplit("_", 1)[0] for key in golden}
    assert len(names) == 9
    for name in names:
        mode, source, target = name.split("_")
        matrix = matrices[mode](int(target), int(source))
        found = np.einsum("ih,jw,bchw->bcij", matrix, matrix, golden[f"{name}_in"])
        close(found, golden[f"{name}_out"])


def test_grouped_residual_levels():
    golden = load("grouped_residual_vq")
    inner = ResidualQuantizer(
        inner=VectorQuantizer(**SIZES, commitment_weight=1.0), num_levels=2
    )
    module = ProductQuantizer(inner=inner, num_heads=2)
    params = {
        f"heads_{i}": {
            f"levels_{j}": {"codes": jnp.asarray(codes)}
            for j, codes in enumerate(group)
        }
        for i, group in enumerate(golden["codes"])
    }
    out = module.apply({"params": params}, image(golden["z"]), train=True)
    # Theirs have the groups first: [group, batch, token, level].
    wanted = np.moveaxis(golden["indices"], 0, 2)
    np.testing.assert_array_equal(out.indices.reshape(wanted.shape), wanted)
    close(out.z_q, golden["z_q"])
    close(out.loss, 2 * golden["losses"].mean())


def test_a_pass_over_all_scales():
    golden = load("multi_scale")
    module = MultiScaleQuantizer(
        inner=VectorQuantizer(**SIZES),
        scales=tuple(golden["scales"].tolist()),
        num_refiners=1,
    )
    params = {
        "codebook": {"codes": jnp.asarray(golden["codes"])},
        "refiners_0": {
            "kernel": jnp.asarray(golden["kernel"]),
            "bias": jnp.asarray(golden["bias"]),
        },
    }
    grads = check_pass(module, {"params": params}, golden)
    close(grads["codebook"]["codes"], golden["codes_grad"])
    close(grads["refiners_0"]["kernel"], golden["kernel_grad"])
    close(grads["refiners_0"]["bias"], golden["bias_grad"])


def test_splitting():
    golden = load("splitting")
    counts, sums = jnp.asarray(golden["counts"]), jnp.asarray(golden["sums"])
    # Theirs is a number, ours a fraction of the mean count, which splits leave nearly
    # as it is: the counts that are moved away are small.
    state = codebook.split_most_used(
        codebook.CodebookState(sums / counts[:, None], counts, sums),
        float(golden["threshold"] / counts.mean()),
        jax.random.key(0),
        perturbation=0.0,
    )
    close(state.counts, golden["counts_after"])
    close(state.sums, golden["sums_after"])
    close(state.codes, golden["sums_after"] / golden["counts_after"][:, None])
