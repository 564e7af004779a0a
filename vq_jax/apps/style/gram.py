"""Style transfer by optimising an image's latents, with the codes in the loop."""

import functools
from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from vq_jax import compiler
from vq_jax.apps.style.restyler import Image, Restyler
from vq_jax.config.checks import check_range
from vq_jax.errors import InputError
from vq_jax.inference import latents
from vq_jax.inference.tokenizer import Tokenizer
from vq_jax.losses.style import StyleObjective
from vq_jax.models.perceptual.lpips import MIN_SIDE, Lpips, trunk_features
from vq_jax.ops import images as image_ops

VGG16 = Lpips(net="vgg16")
OBJECTIVE = StyleObjective()


class Progress(NamedTuple):
    """How far an optimisation is.

    Attributes:
        steps: that are finished.
        losses: "content" and "style" before the last of them, each in [0, 1].
    """

    steps: int
    losses: Mapping[str, Float[Array, ""]]


class GramStyle(Restyler):
    """Optimises `z_e` of the content image against features and Gram matrices of VGG16.

    Gatys et al. (2016) optimise pixels. Here pixels are what the decoder makes of
    codes: the quantizer is part of the function, and its gradient passes straight
    through to `z_e`. The content is that of the tokenizer's round trip, where the
    optimisation begins, so what the tokenizer loses is nothing that it looks for.

    It draws nothing at random: equal arguments give equal images.

    Attributes:
        objective: the losses.
        steps: of Adam, whose step size falls to 0 as a cosine does.
        step_size: the first one at strength 1, in standard deviations of the image's
            `z_e`; at other strengths it is so much of that.
    """

    min_side = MIN_SIDE

    def __init__(
        self,
        tokenizer: Tokenizer,
        params: Mapping,
        *,
        net: Lpips = VGG16,
        objective: StyleObjective = OBJECTIVE,
        steps: int = 60,
        step_size: float = 0.4,
        say: Callable[[Progress], None] | None = None,
    ):
        """`params` are those of `net`, as `load_lpips("vgg16")` has them.

        `say` is told of every step.

        Raises:
            InputError: a number is out of range, or the tokenizer has no codes, or
                codes that pass no gradient.
        """
        super().__init__(tokenizer)
        if not tokenizer.model.quantizer.passes_gradient:
            raise InputError(
                "this quantizer's codes pass no gradient to the latents that they are "
                "of, which therefore cannot be optimised; take method='adain'."
            )
        check_range(steps, 1, where="steps")
        check_range(step_size, 0.0, where="step_size")
        self.objective, self.steps, self.step_size = objective, steps, step_size
        self._net, self._params = net, jax.device_put(dict(params))
        self._say = say or (lambda progress: None)

    def _restyled(
        self, padded: Image, style: Image, strength: float
    ) -> Int[np.ndarray, "1 *tokens"]:
        variables = self.tokenizer.variables
        # bfloat16 would swallow the last steps, which are small.
        z_e = self._latents(variables, padded[None]).astype(jnp.float32)
        # Adam's steps have one size however little style is asked for, and codes that
        # were left do not all come back: small strengths would not stay near 0.
        scale = strength * self.step_size * jnp.std(z_e)
        targets = self._targets(variables, self._params, style[None], z_e)
        state = self._optimizer.init(z_e)
        for number in range(self.steps):
            z_e, state, losses = self._step(
                variables, self._params, targets, strength, scale, z_e, state
            )
            self._say(Progress(number + 1, losses))
        return np.asarray(self._quantized(variables, z_e))

    @functools.cached_property
    def _optimizer(self) -> optax.GradientTransformation:
        return optax.adam(optax.cosine_decay_schedule(1.0, self.steps))

    @functools.cached_property
    def _targets(self) -> Callable:
        model, net, objective = self.tokenizer.model, self._net, self.objective

        def targets(variables, params, style, z_e):
            style = trunk_features(net, params, image_ops.from_uint8(style))
            content = trunk_features(net, params, latents.decode(model, variables, z_e))
            return objective.targets(style, content)

        return compiler.jit(targets)

    @functools.cached_property
    def _step(self) -> Callable:
        model, net, objective = self.tokenizer.model, self._net, self.objective

        def loss(z_e, variables, params, targets, strength):
            features = trunk_features(
                net, params, latents.decode(model, variables, z_e)
            )
            return objective(features, targets, strength)

        def step(variables, params, targets, strength, scale, z_e, state):
            grads, losses = jax.grad(loss, has_aux=True)(
                z_e, variables, params, targets, strength
            )
            updates, state = self._optimizer.update(grads, state)
            return z_e + scale * updates, state, losses

        return compiler.jit(step)
