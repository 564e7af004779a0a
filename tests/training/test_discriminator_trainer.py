import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from configs.parts.adversarial import ADVERSARIAL
from vq_jax.losses.adversarial_objective import AdversarialObjective
from vq_jax.models.discriminators.stylegan import StyleGanDiscriminator
from vq_jax.training.discriminator_trainer import BALANCE, DiscriminatorTrainer

RNG = np.random.default_rng(0)
LECAM = {"lecam_weight": 0.5, "lecam_logits": "batch_mean"}
R1 = {"r1_weight": 10.0}


class _SeparatePasses(StyleGanDiscriminator):
    piecewise_linear = False


def _images():
    return jnp.asarray(RNG.uniform(-1, 1, (4, 16, 16, 3)), jnp.float32)


def _gradients(discriminator, objective):
    """Both gradients, by step, images, fakes and two keys."""
    module = discriminator(base_dim=4, multipliers=(1, 2))
    trainer = DiscriminatorTrainer(
        module=module, tx=optax.sgd(0.1), objective=objective
    )
    state = trainer.init(jax.random.key(0), (16, 16, 3))
    balance = {"real": jnp.asarray(0.3), "fake": jnp.asarray(-0.2), "r1": jnp.ones(())}
    state = state.replace(variables={**state.variables, BALANCE: balance})

    @jax.jit
    def gradients(step, *arguments):
        return trainer.both_gradients(state.replace(step=step), *arguments)

    return gradients


@pytest.mark.parametrize(
    "fields",
    [{}, R1 | {"r1_every": 1}, R1 | {"r1_every": 4}, LECAM, LECAM | R1],
    ids=str,
)
@pytest.mark.parametrize("loss", ["hinge", "non_saturating"])
def test_shared_passes_give_what_separate_ones_do(loss, fields):
    losses = {"generator_loss": loss, "discriminator_loss": loss}
    objective = AdversarialObjective(**{**ADVERSARIAL, **losses, **fields})
    shared = _gradients(StyleGanDiscriminator, objective)
    separate = _gradients(_SeparatePasses, objective)

    def compare(found, expected):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)

    keys = jax.random.split(jax.random.key(1))
    for step in (3, 4):
        arguments = step, _images(), _images(), *keys
        jax.tree.map(compare, shared(*arguments), separate(*arguments))


def test_shared_passes_cost_less():
    """Some 7 passes through the layers in place of 10, by the compiler's flops."""
    objective = AdversarialObjective(**{**ADVERSARIAL, **R1, "r1_every": 1})
    arguments = 0, _images(), _images(), *jax.random.split(jax.random.key(1))

    def flops(discriminator):
        lowered = _gradients(discriminator, objective).lower(*arguments)
        return lowered.compile().cost_analysis()["flops"]

    assert flops(StyleGanDiscriminator) < 0.8 * flops(_SeparatePasses)
