import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs.parts.adversarial import ADVERSARIAL
from vq_jax.losses import adversarial
from vq_jax.losses.adversarial_objective import AdversarialObjective
from vq_jax.models.discriminators.stylegan import StyleGanDiscriminator
from vq_jax.training.discriminator_trainer import BALANCE, DiscriminatorTrainer

RNG = np.random.default_rng(0)
LECAM = {"lecam_weight": 0.5}
R1 = {"r1_weight": 10.0}


class _SeparatePasses(StyleGanDiscriminator):
    homogeneous = False


def _images():
    return jnp.asarray(RNG.uniform(-1, 1, (6, 16, 16, 3)), jnp.float32)


REAL, FAKE = _images(), _images()


def _arguments(step):
    return step, REAL, FAKE, *jax.random.split(jax.random.key(1))


def _trainer(discriminator, dtype="float32", **fields):
    """A trainer, and a state with logits on both sides of a hinge."""
    module = discriminator(base_dim=4, multipliers=(1, 2), dtype=dtype)
    trainer = DiscriminatorTrainer(
        module=module,
        tx=optax.sgd(0.1),
        objective=AdversarialObjective(**{**ADVERSARIAL, **fields}),
    )
    state = trainer.init(jax.random.key(0), (16, 16, 3))
    balance = {"real": jnp.asarray(0.3), "fake": jnp.asarray(-0.2), "r1": jnp.ones(())}
    drawn = np.random.default_rng(1)
    params = jax.tree.map(
        lambda leaf: leaf + 0.1 * drawn.normal(size=leaf.shape).astype("float32"),
        state.params,
    )
    params["logit"] = jax.tree.map(lambda leaf: 20.0 * leaf, params["logit"])
    variables = {**state.variables, BALANCE: balance}
    return trainer, state.replace(params=params, variables=variables)


def _gradients(discriminator, *args, **fields):
    """Both gradients, by step, images, fakes and two keys."""
    trainer, state = _trainer(discriminator, *args, **fields)

    @jax.jit
    def gradients(step, *arguments):
        return trainer.both_gradients(state.replace(step=step), *arguments)

    return gradients


def _distance(found, expected):
    """The largest difference, in parts of the largest number of each array."""

    def distance(found, expected):
        scale = jnp.max(jnp.abs(expected)) + 1e-30
        return float(jnp.max(jnp.abs(found - expected)) / scale)

    return max(jax.tree.leaves(jax.tree.map(distance, found, expected)))


def test_the_images_of_these_tests_are_on_both_sides_of_the_hinge():
    trainer, state = _trainer(StyleGanDiscriminator)
    logits, _ = trainer.logits(state.params, {}, REAL, jax.random.key(0))
    assert np.min(np.abs(logits)) < 1.0 < np.max(np.abs(logits))


@pytest.mark.parametrize(
    "fields",
    [{}, R1 | {"r1_every": 1}, R1 | {"r1_every": 4}, LECAM | R1],
    ids=str,
)
@pytest.mark.parametrize("loss", ["hinge", "non_saturating"])
def test_shared_passes_give_what_separate_ones_do(loss, fields):
    fields = {"generator_loss": loss, "discriminator_loss": loss, **fields}
    shared = _gradients(StyleGanDiscriminator, **fields)
    separate = _gradients(_SeparatePasses, **fields)
    for step in (3, 4):
        found, expected = shared(*_arguments(step)), separate(*_arguments(step))
        assert _distance(found, expected) < 1e-4


def test_shared_passes_lose_no_more_in_bfloat16():
    def error(discriminator):
        exact, rounded = (
            _gradients(discriminator, dtype, **R1)(*_arguments(0))[1:]
            for dtype in ("float32", "bfloat16")
        )
        return _distance(rounded, exact)

    assert error(StyleGanDiscriminator) < 1.5 * error(_SeparatePasses)


@pytest.mark.parametrize("discriminator", [StyleGanDiscriminator, _SeparatePasses])
def test_what_r1_adds_is_half_its_weight_times_its_interval(discriminator):
    trainer, state = _trainer(discriminator, **R1, r1_every=4)
    both = _gradients(discriminator, **R1, r1_every=4)

    def grads(step):
        _, _, ((grads, _), _) = both(*_arguments(step))
        return grads

    @jax.jit
    @jax.grad
    def expected(params):
        def logits(x):
            return trainer.logits(params, {}, x, jax.random.key(0))[0]

        return 0.5 * 10.0 * 4 * adversarial.r1(logits, REAL)

    added = jax.tree.map(jnp.subtract, grads(8), grads(7))
    assert _distance(added, expected(state.params)) < 1e-3


def test_shared_passes_cost_less():
    """Some 7 passes through the layers in place of 10, by the compiler's flops."""

    def flops(discriminator):
        lowered = _gradients(discriminator, **R1, r1_every=1).lower(*_arguments(0))
        return lowered.compile().cost_analysis()["flops"]

    assert flops(StyleGanDiscriminator) < 0.75 * flops(_SeparatePasses)
