"""The train step of VQGAN: an autoencoder and a discriminator (2012.09841v3, eq. 6)."""

import dataclasses

import jax
import jax.numpy as jnp
import optax

from vq_jax.losses import adversarial
from vq_jax.losses.objective import Objective
from vq_jax.metrics.joined import joined, prefixed
from vq_jax.ops import images as image_ops
from vq_jax.training import autoencoder_trainer, rng
from vq_jax.training.accumulation import accumulate
from vq_jax.training.autoencoder_trainer import AutoencoderTrainer
from vq_jax.training.discriminator_trainer import DiscriminatorTrainer
from vq_jax.training.state import AdversarialState

GENERATOR, DISCRIMINATOR = "augment_generator", "augment_discriminator"
STREAMS = (*autoencoder_trainer.STREAMS, GENERATOR, DISCRIMINATOR)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class GanStep:
    """One update of a generator, the autoencoder, and of its discriminator.

    One forward pass of the generator, and one backward pass of the sum of its losses.
    Before `disc_start` nothing of the discriminator moves; before `gen_start` the
    generator learns as in `VaeStep`. Parts of a batch (`accumulation`, as there) have
    adaptive weights and batch statistics of their own, whose means are kept.

    Attributes:
        autoencoder: the generator and how it is updated.
        discriminator: the discriminator, how it is updated, and the losses of both.
        objective: the generator's losses but for the adversarial one.
        accumulation: number of parts.
    """

    autoencoder: AutoencoderTrainer
    discriminator: DiscriminatorTrainer
    objective: Objective
    accumulation: int = 1

    def __call__(self, state: AdversarialState, batch, key, nets=None):
        """`(state, metrics)` after a global batch; arguments as in `VaeStep`.

        Metrics beside those of `VaeStep` and `DiscriminatorTrainer.gradients`:
        "train/adversarial", the generator's unweighted loss; "train/adaptive_weight",
        after its clamp; "train/adversarial_weight", what the loss was multiplied by;
        "train/disc_grad_norm".
        """
        losses = self.discriminator.objective
        keys = rng.step_keys(key, state.step, STREAMS)
        both = self._shared_fakes if losses.fakes == "shared" else self._updated_fakes
        generator, (grads, variables), metrics = both(state, batch["image"], keys, nets)
        learns = state.step >= losses.disc_start
        discriminator = self.discriminator.update(
            state.discriminator, grads, variables, learns=learns
        )
        norm = {"disc_grad_norm": optax.tree.norm(grads)}
        state = AdversarialState(generator, discriminator)
        return state, prefixed("train/", joined(metrics, norm))

    def _shared_fakes(self, state, images, keys, nets):
        """The discriminator learns on the generator's reconstructions of this step."""

        def part(images, keys):
            images = image_ops.from_uint8(images)

            def judge(recon):
                return self.discriminator.both_gradients(
                    state.discriminator,
                    images,
                    recon,
                    keys[GENERATOR],
                    keys[DISCRIMINATOR],
                )

            grads, recorded, metrics, (learnt, more) = self._generator_pass(
                state, images, keys, nets, judge
            )
            return (grads, learnt), recorded, joined(metrics, more)

        (grads, learnt), recorded, metrics = self._accumulate(part, images, keys)
        generator, update = self.autoencoder.update(
            state.generator, grads, recorded, len(images)
        )
        return generator, learnt, joined(metrics, update)

    def _updated_fakes(self, state, images, keys, nets):
        """The updated generator reconstructs again, with the same keys."""

        def generator_part(images, keys):
            def judge(recon):
                return self.discriminator.generator_gradient(
                    state.discriminator, recon, keys[GENERATOR]
                )

            grads, recorded, metrics, stats = self._generator_pass(
                state, image_ops.from_uint8(images), keys, nets, judge
            )
            return (grads, stats), recorded, metrics

        def discriminator_part(images, keys):
            images = image_ops.from_uint8(images)
            output, _ = self.autoencoder.forward(
                generator.params, generator.variables, images, keys
            )
            learnt, metrics = self.discriminator.gradients(
                state.discriminator, stats, images, output.recon, keys[DISCRIMINATOR]
            )
            return learnt, {}, metrics

        (grads, stats), recorded, metrics = self._accumulate(
            generator_part, images, keys
        )
        generator, update = self.autoencoder.update(
            state.generator, grads, recorded, len(images)
        )
        again = {name: jax.random.clone(key) for name, key in keys.items()}
        learnt, _, more = self._accumulate(discriminator_part, images, again)
        return generator, learnt, joined(metrics, update, more)

    def _generator_pass(self, state: AdversarialState, images, keys, nets, judge):
        """`(grads, recorded, metrics, seen)`, where the discriminator is asked once.

        The losses of the decoder's outputs are differentiated with respect to these,
        where that is cheap, and go back through the autoencoder as one weighted sum.
        `judge(recon)` gives the adversarial loss, its gradient by recon, and `seen`.
        """
        model, variables = self.autoencoder.model, state.generator.variables
        (outputs, latent), vjp, (output, recorded, latent_logs) = jax.vjp(
            lambda params: self._forward(params, variables, images, keys),
            state.generator.params,
            has_aux=True,
        )
        (image, image_logs), image_grad = jax.value_and_grad(
            self.objective.image_loss, has_aux=True
        )(outputs, images, nets)
        recon, from_recon = jax.vjp(
            lambda outputs: model.likelihood.mean(outputs, model.channels), outputs
        )
        adversarial_loss, recon_grad, seen = judge(recon)
        (adversarial_grad,) = from_recon(recon_grad)
        ratio = self._gradient_ratio(vjp, image_grad, adversarial_grad)
        weight = self.discriminator.objective.generator_weight(state.step, ratio)
        (grads,) = vjp((image_grad + weight * adversarial_grad, jnp.ones(())))
        metrics = {
            "loss": image + latent + weight * adversarial_loss,
            "adversarial": adversarial_loss,
            "adaptive_weight": ratio,
            "adversarial_weight": weight,
        }
        metrics = joined(metrics, image_logs, latent_logs, output.quantized.metrics)
        return grads, recorded, metrics, seen

    def _forward(self, params, variables, images, keys):
        output, recorded = self.autoencoder.forward(params, variables, images, keys)
        latent, logs = self.objective.latent_loss(output, images)
        return (output.outputs, latent), (output, recorded, logs)

    def _gradient_ratio(self, vjp, image_grad, adversarial_grad):
        """The adaptive weight, or 1 where the weight is fixed."""
        losses, decoder = self.discriminator.objective, self.autoencoder.model.decoder
        if losses.weighting == "fixed":
            return jnp.ones(())

        def last_kernel_grad(cotangent):
            # Compiled, this costs the weight gradient of one layer: nothing uses the
            # rest of the backward pass, and XLA drops it.
            (grads,) = vjp((cotangent, jnp.zeros(())))
            module, name = decoder.last_kernel
            return grads["decoder"][module][name]

        return adversarial.adaptive_weight(
            last_kernel_grad(image_grad),
            last_kernel_grad(adversarial_grad),
            min_weight=losses.min_weight,
            max_weight=losses.max_weight,
        )

    def _accumulate(self, gradients, images, keys):
        return accumulate(gradients, images, keys, self.accumulation)
