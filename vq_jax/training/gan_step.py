"""The train step of VQGAN: an autoencoder and a discriminator (2012.09841v3, eq. 6)."""

import functools
from collections.abc import Callable, Mapping

import jax
import optax

from vq_jax.models.autoencoder import Autoencoder
from vq_jax.models.discriminators.base import Discriminator
from vq_jax.models.layers.norms import BATCH_STATS
from vq_jax.ops import images as image_ops
from vq_jax.training import discriminator as disc
from vq_jax.training import generator, rng
from vq_jax.training.adversarial_pass import make_play
from vq_jax.training.game import Game
from vq_jax.training.state import AdversarialState

JUDGE = "augment_discriminator"
STREAMS = (*generator.STREAMS, "augment_generator", JUDGE)


def make_gan_step(
    model: Autoencoder,
    discriminator: Discriminator,
    tx: optax.GradientTransformation,
    disc_tx: optax.GradientTransformation,
    game: Game,
    *,
    loss_weights: Mapping[str, float],
    perceptual: Callable | None = None,
    ema_decay: float = 0.0,
    accumulation: int = 1,
    usage_window: int = 1_024,
    frozen: tuple[str, ...] = (),
) -> Callable:
    """Returns `step(state, batch, key, nets=None) -> (state, metrics)`, global batch.

    One forward pass of the generator, and one backward pass of the sum of its losses,
    as in `make_vae_step`, whose arguments these are. Before `game.disc_start` nothing
    of the discriminator moves; before `game.gen_start` the generator learns as that of
    `make_vae_step`. Parts of a batch have adaptive weights and batch statistics of
    their own, whose means are kept.

    Metrics beside those of `make_vae_step` and of `discriminator.make_judge`:
    "adversarial", the generator's unweighted loss; "adaptive_weight", after its clamp;
    "adversarial_weight", what the loss was multiplied by; "disc_grad_norm".
    """
    play = make_play(
        model,
        discriminator,
        game,
        loss_weights=loss_weights,
        perceptual=perceptual,
        frozen=frozen,
    )
    gradients = functools.partial(
        _together if game.fakes == "shared" else _in_turn,
        model=model,
        judge=disc.make_judge(discriminator, game),
        update=generator.make_update(
            model, tx, ema_decay=ema_decay, usage_window=usage_window, frozen=frozen
        ),
        parts=functools.partial(generator.accumulate, parts=accumulation),
    )

    def step(state: AdversarialState, batch, key, nets=None):
        keys = rng.step_keys(key, state.step, STREAMS)
        autoencoder, (disc_grads, disc_variables), metrics = gradients(
            state, batch["image"], keys, play=functools.partial(play, nets=nets)
        )
        metrics["disc_grad_norm"] = optax.tree.norm(disc_grads)
        playing = state.step >= game.disc_start
        opponent = disc.apply_update(
            state.discriminator, disc_tx, disc_grads, disc_variables, playing
        )
        metrics = {f"train/{name}": value for name, value in metrics.items()}
        return AdversarialState(autoencoder, opponent), metrics

    return step


def _together(state, images, keys, *, model, play, judge, update, parts):
    """The discriminator sees the reconstructions that the generator learns from."""

    def part(images, keys):
        images = image_ops.from_uint8(images)
        played = play(state, images, keys)
        opponent = _with_stats(state.discriminator, played.stats)
        judged, of_judge = judge(opponent, images, played.recon, keys[JUDGE])
        metrics = {**played.metrics, **of_judge}
        return (played.grads, judged), played.recorded, metrics

    (grads, judged), recorded, metrics = parts(part, images, keys)
    autoencoder, of_update = update(state.generator, grads, recorded, len(images))
    return autoencoder, judged, {**metrics, **of_update}


def _in_turn(state, images, keys, *, model, play, judge, update, parts):
    """The updated generator reconstructs again, with the same keys."""

    def play_part(images, keys):
        played = play(state, image_ops.from_uint8(images), keys)
        return (played.grads, played.stats), played.recorded, played.metrics

    (grads, stats), recorded, metrics = parts(play_part, images, keys)
    autoencoder, of_update = update(state.generator, grads, recorded, len(images))
    opponent = _with_stats(state.discriminator, stats)

    def judge_part(images, keys):
        images = image_ops.from_uint8(images)
        output, _ = generator.forward(
            model, autoencoder.params, autoencoder.variables, images, keys
        )
        judged, of_judge = judge(opponent, images, output.recon, keys[JUDGE])
        return judged, {}, of_judge

    again = {name: jax.random.clone(key) for name, key in keys.items()}
    judged, _, of_judge = parts(judge_part, images, again)
    return autoencoder, judged, {**metrics, **of_update, **of_judge}


def make_start(
    model: Autoencoder, discriminator: Discriminator, *, codes: bool
) -> Callable | None:
    """`start(state, batch, key)`: what starts from data, placed on the first batch.

    The codes, where `codes` is True, and the discriminator, where it is of that kind;
    None where neither is to. A discriminator starts on reconstructions, the first that
    VQGAN's released code shows it.
    """
    if not codes and not discriminator.needs_data_init:
        return None
    start_codebook = generator.make_start(model)

    def start(state: AdversarialState, batch, key):
        if codes:
            autoencoder = start_codebook(state.generator, batch, key)
            state = state.replace(generator=autoencoder)
        if discriminator.needs_data_init:
            images = image_ops.from_uint8(batch["image"])
            variables = {"params": state.generator.params, **state.generator.variables}
            _, updated = discriminator.apply(
                {"params": state.discriminator.params},
                model.apply(variables, images, train=False).recon,
                train=True,
                init_from_data=True,
                mutable=["params"],
            )
            started = state.discriminator.replace(params=updated["params"])
            state = state.replace(discriminator=started)
        return state

    return start


def _with_stats(state, stats):
    return state.replace(variables={**state.variables, BATCH_STATS: stats})
