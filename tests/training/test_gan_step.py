import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs import vqgan_stability
from configs.parts.adversarial import ADVERSARIAL
from vq_jax import sharding
from vq_jax.losses import adversarial
from vq_jax.losses.adversarial_objective import AdversarialObjective
from vq_jax.models.discriminators.patchgan import PatchDiscriminator
from vq_jax.models.discriminators.stylegan import StyleGanDiscriminator
from vq_jax.models.layers.norms import BATCH_STATS
from vq_jax.ops import images as image_ops
from vq_jax.testing import steps, tiny
from vq_jax.training.discriminator_trainer import BALANCE
from vq_jax.training.tasks.build import build_task
from vq_jax.training.vae_step import VaeStep

WEIGHTS = {"l1": 1.0, "quantizer": 1.0}
KEY = jax.random.key(7)
PATCHGAN = {"base_dim": 4, "num_layers": 1}
STYLEGAN = {"base_dim": 4, "multipliers": (1, 2)}
SGD = optax.sgd(0.1)


def _objective(**fields):
    return AdversarialObjective(**{**ADVERSARIAL, **fields})


DEFAULT = _objective()


@functools.cache
def _make(
    objective=DEFAULT,
    *,
    quantizer="vq",
    tx=SGD,
    disc_tx=SGD,
    norm="batch",
    stylegan=False,
    dtype="float32",
    **fields,
):
    """A step, a state at its start, and the step compiled."""
    alone = steps.vae_step(tiny.model(quantizer, dtype=dtype), tx, WEIGHTS, **fields)
    if stylegan:
        discriminator = StyleGanDiscriminator(**STYLEGAN, dtype=dtype)
    else:
        discriminator = PatchDiscriminator(**PATCHGAN, norm=norm, dtype=dtype)
    step = steps.gan_step(alone, discriminator, disc_tx, objective)
    return step, steps.init_gan(step, jax.random.key(0)), jax.jit(step)


def _equal(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


def _moved(a, b):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return any(not np.array_equal(x, y) for x, y in pairs)


def _close(a, b, rtol=2e-4, atol=2e-6):
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=rtol, atol=atol), a, b
    )


def test_nothing_of_the_discriminator_moves_before_its_start():
    objective = _objective(disc_start=2, gen_start=2, lecam_weight=0.1, r1_weight=1.0)
    _, state, step = _make(objective, disc_tx=optax.adam(1e-2))
    moved = []
    for i in range(4):
        new, _ = step(state, tiny.batch(8, seed=i), KEY)
        moved.append(_moved(new.discriminator, state.discriminator))
        state = new
    assert moved == [False, False, True, True]
    assert int(state.discriminator.step) == 2
    assert int(state.step) == 4


def test_the_adversarial_loss_does_not_act_before_its_start():
    made, state, step = _make(
        _objective(gen_start=2, gen_ramp=1, weighting="fixed", weight=0.5)
    )
    alone = jax.jit(VaeStep(autoencoder=made.autoencoder, objective=made.objective))
    apart, weights = state.generator, []
    for i in range(4):
        state, metrics = step(state, tiny.batch(8, seed=i), KEY)
        apart, _ = alone(apart, tiny.batch(8, seed=i), KEY)
        weights.append(float(metrics["train/adversarial_weight"]))
        if i < 2:  # up to the order of sums, in two programs
            _close(state.generator.params, apart.params, rtol=1e-5, atol=1e-7)
    assert weights == [0.0, 0.0, 0.25, 0.5]


@pytest.mark.parametrize("length", [0, 3])
def test_a_ramp_at_start_minus_one_start_and_start_plus_one(length):
    found = [float(adversarial.ramp(s, start=5, length=length)) for s in (4, 5, 6, 8)]
    expected = [0.0, 1.0, 1.0, 1.0] if length == 0 else [0.0, 0.25, 0.5, 1.0]
    assert found == expected


def test_the_update_is_that_of_the_sum_of_losses():
    """Against one gradient of the whole objective, with the weight as a constant."""
    made, state, step = _make()
    model, discriminator = made.autoencoder.model, made.discriminator.module
    batch = tiny.batch(8)
    images = image_ops.from_uint8(batch["image"])
    new, metrics = step(state, batch, KEY)

    def recon_of(params):
        variables = state.generator.variables
        return made.autoencoder.forward(params, variables, images, {})[0]

    def image_loss(params):
        return jnp.mean(jnp.abs(recon_of(params).recon - images))

    def against(params):
        logits, _ = discriminator.apply(
            {"params": state.discriminator.params, **_stats(state)},
            recon_of(params).recon,
            train=True,
            mutable=[BATCH_STATS],
        )
        return -jnp.mean(logits)

    params = state.generator.params
    module, name = model.decoder.last_kernel
    norms = [
        np.linalg.norm(jax.jit(jax.grad(f))(params)["decoder"][module][name])
        for f in (image_loss, against)
    ]
    ratio = norms[0] / (norms[1] + 1e-4)
    np.testing.assert_allclose(metrics["train/adaptive_weight"], ratio, rtol=1e-4)

    def objective(params):
        total = image_loss(params) + recon_of(params).quantized.loss
        return total + 0.8 * ratio * against(params)

    grads = jax.jit(jax.grad(objective))(params)
    expected = jax.tree.map(lambda p, g: p - 0.1 * g, params, grads)
    _close(new.generator.params, expected, rtol=1e-5, atol=1e-6)


def _stats(state):
    return {BATCH_STATS: state.discriminator.variables[BATCH_STATS]}


def test_the_discriminator_minimises_its_loss_on_the_same_reconstructions():
    made, state, step = _make(_objective(weight=0.0))
    batch = tiny.batch(8)
    images = image_ops.from_uint8(batch["image"])
    new, metrics = step(state, batch, KEY)
    generator = state.generator
    output, _ = made.autoencoder.forward(
        generator.params, generator.variables, images, {}
    )

    def logits(params, shown):
        return made.discriminator.module.apply(
            {"params": params, **_stats(state)},
            shown,
            train=True,
            mutable=[BATCH_STATS],
        )[0]

    def loss(params):
        real, fake = logits(params, images), logits(params, output.recon)
        return adversarial.hinge_discriminator(real, fake)

    params = state.discriminator.params
    value, grads = jax.value_and_grad(loss)(params)
    np.testing.assert_allclose(metrics["train/discriminator"], value, rtol=1e-5)
    expected = jax.tree.map(lambda p, g: p - 0.1 * g, params, grads)
    _close(new.discriminator.params, expected, rtol=1e-4)


def test_updated_fakes_come_from_the_updated_generator():
    _, state, step = _make()
    *_, other_step = _make(_objective(fakes="updated"))
    new, metrics = step(state, tiny.batch(8), KEY)
    other, other_metrics = other_step(state, tiny.batch(8), KEY)
    _close(new.generator.params, other.generator.params, rtol=1e-6, atol=1e-7)
    assert _moved(new.discriminator.params, other.discriminator.params)
    # The real images, and what the discriminator thinks of them, are the same.
    name = "train/logits_real"
    np.testing.assert_allclose(metrics[name], other_metrics[name], rtol=1e-5)


@pytest.mark.parametrize(
    ("fakes", "stylegan"), [("shared", False), ("updated", False), ("shared", True)]
)
def test_a_batch_in_parts_is_the_batch(fakes, stylegan):
    # A fixed weight and no batch statistics: those are each part's own.
    objective = _objective(
        weighting="fixed", lecam_weight=0.1, r1_weight=0.1, fakes=fakes
    )
    results = []
    for accumulation in (1, 4):
        _, state, step = _make(
            objective, norm="none", stylegan=stylegan, accumulation=accumulation
        )
        results.append(step(state, tiny.batch(8), KEY))
    _close(results[0][0], results[1][0], rtol=1e-4)
    for name in ("train/loss", "train/discriminator", "train/disc_grad_norm"):
        np.testing.assert_allclose(results[0][1][name], results[1][1][name], rtol=1e-4)


@pytest.mark.parametrize(
    ("mesh", "stylegan"), [((8, 1), False), ((4, 2), False), ((4, 2), True)]
)
def test_every_mesh_gives_the_same_run(mesh, stylegan, monkeypatch):
    monkeypatch.setattr(sharding, "MIN_SHARDED_SIZE", 1)
    objective = _objective(lecam_weight=0.1, r1_weight=0.1, r1_every=1)
    _, state, step = _make(objective, stylegan=stylegan)
    expected = state
    for i in range(2):
        expected, metrics = step(expected, tiny.batch(8, seed=i), KEY)
    mesh = sharding.make_mesh(data=mesh[0], fsdp=mesh[1])
    shardings = sharding.state_shardings(state, mesh)
    everywhere = sharding.replicated(mesh)
    sharded = jax.jit(
        step,
        in_shardings=(shardings, sharding.batch_sharding(mesh), everywhere),
        out_shardings=(shardings, everywhere),
    )
    found = jax.device_put(state, shardings)
    for i in range(2):
        found, found_metrics = sharded(found, tiny.batch(8, seed=i), KEY)
    _close(found, expected, rtol=1e-3, atol=2e-5)
    _close(found_metrics, metrics, rtol=1e-3, atol=2e-5)


@pytest.mark.parametrize("stylegan", [False, True])
def test_bfloat16_keeps_weights_and_statistics_in_float32(stylegan):
    found, expected = [], []
    for dtype, metrics in (("bfloat16", found), ("float32", expected)):
        _, state, step = _make(quantizer="none", stylegan=stylegan, dtype=dtype)
        state, values = step(state, tiny.batch(8), KEY)
        metrics.append(values)
        dtypes = {leaf.dtype for leaf in jax.tree.leaves(state.discriminator.variables)}
        assert dtypes == {jnp.dtype("float32")}
    for name in ("train/l1", "train/discriminator", "train/adaptive_weight"):
        np.testing.assert_allclose(found[0][name], expected[0][name], rtol=5e-2)


def test_lecam_averages_follow_the_logits():
    _, state, step = _make(_objective(lecam_weight=0.1, lecam_decay=0.75))
    new, metrics = step(state, tiny.batch(8), KEY)
    balance = new.discriminator.variables[BALANCE]
    for side in ("real", "fake"):
        expected = 0.25 * metrics[f"train/logits_{side}"]
        np.testing.assert_allclose(balance[side], expected, rtol=1e-5)


def test_r1_is_computed_at_its_interval_and_remembered_between():
    # Nothing learns, so that only the penalty's own step can tell.
    _, state, step = _make(
        _objective(r1_weight=100.0, r1_every=2),
        tx=optax.set_to_zero(),
        disc_tx=optax.set_to_zero(),
    )
    values, norms = [], []
    for i in range(4):
        # One batch twice, so that only the penalty makes the gradients differ.
        state, metrics = step(state, tiny.batch(8, seed=i // 2), KEY)
        values.append(float(metrics["train/r1"]))
        norms.append(float(metrics["train/disc_grad_norm"]))
    assert values[0] == values[1] > 0.0
    assert values[2] == values[3] != values[0]
    assert norms[0] > 2.0 * norms[1]
    assert norms[2] > 2.0 * norms[3]


def test_augmentation_draws_anew_each_step_and_the_same_again():
    _, state, step = _make(_objective(augment=("color", "translation", "cutout")))
    batch = tiny.batch(8)
    again = [step(state, batch, KEY)[1]["train/logits_real"] for _ in range(2)]
    assert again[0] == again[1]
    later = state.replace(generator=state.generator.replace(step=jnp.asarray(1)))
    assert step(later, batch, KEY)[1]["train/logits_real"] != again[0]


def test_frozen_modules_stay_bit_for_bit():
    frozen = ("encoder", "quantizer")
    tx = optax.multi_transform(
        {"learns": optax.adamw(1e-2), "frozen": optax.set_to_zero()},
        lambda params: {k: "frozen" if k in frozen else "learns" for k in params},
    )
    _, state, step = _make(quantizer="vq_ema", tx=tx, ema_decay=0.9, frozen=frozen)
    new = state
    for i in range(3):
        new, _ = step(new, tiny.batch(8, seed=i), KEY)
    before, after = state.generator, new.generator
    for name in frozen:
        _equal(after.params.get(name, {}), before.params.get(name, {}))
        _equal(after.ema_params.get(name, {}), before.ema_params.get(name, {}))
    _equal(after.variables, before.variables)
    assert _moved(after.params["decoder"], before.params["decoder"])


def test_actnorm_is_initialised_from_the_first_reconstructions():
    config = vqgan_stability.get_config("smoke,none")
    config.data.image_size = 16
    assert not build_task(config).needs_data_init
    config.discriminator.norm = "actnorm"
    task = build_task(config)
    assert task.needs_data_init
    state, batch = jax.jit(task.init)(KEY), tiny.batch(8)
    started = jax.jit(task.init_from_data)(state, batch, KEY)
    _equal(started.generator, state.generator)
    images = image_ops.from_uint8(batch["image"])
    params = {"params": state.generator.params}
    recon = jax.jit(lambda p: task.model.apply(p, images, train=False).recon)(params)
    _, seen = task.discriminator.module.apply(
        {"params": started.discriminator.params},
        recon,
        train=True,
        capture_intermediates=True,
    )
    normed = seen["intermediates"]["norm_1"]["__call__"][0]
    np.testing.assert_allclose(normed.mean((0, 1, 2)), 0.0, atol=1e-4)
    np.testing.assert_allclose(normed.std((0, 1, 2), ddof=1), 1.0, rtol=5e-3)


@pytest.mark.parametrize("norm", ["batch", "actnorm", "spectral", "none"])
def test_the_discriminator_learns_to_tell(norm):
    # The generator does not move, so that there is something to tell.
    _, state, step = _make(
        _objective(weight=0.0),
        norm=norm,
        tx=optax.set_to_zero(),
        disc_tx=optax.adam(5e-3),
    )
    for _ in range(60):
        state, metrics = step(state, tiny.batch(8), KEY)
    assert metrics["train/disc_accuracy"] > 0.9
