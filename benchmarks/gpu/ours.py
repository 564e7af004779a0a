"""Ours: the steps as runs compile them, encoder and decoder as `Tokenizer` has them."""

import functools
import math
import tempfile

import jax
import jax.numpy as jnp

from gpu import kernels, models
from vq_jax.inference import tokenizer
from vq_jax.models.build import build_autoencoder
from vq_jax.training.compiled import compile_step
from vq_jax.training.setup import prepare


class Ours:
    """Measures one thing after another; what it starts from stays on the host."""

    def __init__(self, *, tiny: bool):
        device = jax.devices()[0]
        if device.platform != "gpu" and not tiny:
            raise RuntimeError(f"JAX finds no GPU here, but {device.device_kind}")
        self._device = device
        self._sizes = models.TINY if tiny else models.SIZES

    def measure(self, what: str, batch_size: int, mode: str) -> dict:
        """Of "vae", "gan", "encode", "decode": speed, flops and memory; or "kernels".

        Args:
            mode: "compiled", the only one.
        """
        if what == "kernels":
            return self._kernels(batch_size)
        call, compiled = self._callable(what, batch_size)
        return {
            "device": self._device.device_kind,
            **models.timed(call, batch_size),
            **models.attempt("flops", lambda: self._flops(what, batch_size, compiled)),
            **models.attempt("memory", lambda: self._memory(compiled)),
        }

    def _kernels(self, batch_size: int) -> dict:
        """Where the time of three G + D steps goes."""
        call, _ = self._callable("gan", batch_size)
        call()
        with tempfile.TemporaryDirectory() as folder:
            with jax.profiler.trace(folder):
                for _ in range(3):
                    call()
            return kernels.summary(folder)

    def _callable(self, what: str, batch_size: int):
        """`(call(), the compiled program)`; a call waits for its result."""
        if what in ("vae", "gan"):
            return self._step(what, batch_size)
        return self._inference(what, batch_size)

    def _step(self, what: str, batch_size: int):
        compiled = compile_step(self._setup(what, batch_size))
        state = jax.device_put(self._state if what == "gan" else self._state.generator)
        batch = {"image": jax.device_put(models.images(self._sizes, batch_size))}
        key = jax.random.key(1)

        def call():
            nonlocal state
            state, metrics = compiled(state, batch, key, {})
            jax.block_until_ready((state, metrics))

        return call, compiled

    def _inference(self, what: str, batch_size: int):
        model = build_autoencoder(self._config("vae", batch_size).model, channels=3)
        generator = self._state.generator
        variables = jax.device_put({"params": generator.params, **generator.variables})
        images = jax.device_put(models.images(self._sizes, batch_size))
        function = functools.partial(getattr(tokenizer, what), model)
        batch = images
        if what == "decode":
            codes = jax.eval_shape(
                functools.partial(tokenizer.encode, model), variables, images
            )
            batch = (
                jnp.arange(codes.size).reshape(codes.shape)
                % (self._sizes["codebook_size"])
            )
        compiled = jax.jit(function).lower(variables, batch).compile()
        return lambda: jax.block_until_ready(compiled(variables, batch)), compiled

    def _config(self, what: str, batch_size: int):
        adversarial = what == "gan"
        return models.config(
            self._sizes, adversarial=adversarial, batch_size=batch_size
        )

    def _setup(self, what: str, batch_size: int):
        return prepare(self._config(what, batch_size), devices=[self._device])

    @functools.cached_property
    def _state(self):
        """The first state of generator and discriminator, on the host."""
        task = self._setup("gan", 1).task
        return jax.device_get(jax.jit(task.init)(jax.random.key(0)))

    def _flops(self, what: str, batch_size: int, compiled) -> dict:
        """TFLOP of a call, by the program's text before it is optimised.

        Of a compiled program a GPU's compiler may not count what libraries compute, so
        its own count stands apart.
        """
        counted = (compiled.cost_analysis() or {}).get("flops", math.nan)
        found = {"compiled_tflop": counted / 1e12} if counted > 0 else {}
        if what in ("vae", "gan"):
            found["tflop"] = batch_size * self._image_flops(what) / 1e12
        return found

    @functools.cache  # noqa: B019, one object a process
    def _image_flops(self, what: str) -> float:
        setup = self._setup(what, 1)
        key = jax.eval_shape(lambda: jax.random.key(0))
        lowered = jax.jit(setup.task.step).lower(
            setup.abstract_state, setup.task.abstract_batch, key, {}
        )
        return lowered.cost_analysis()["flops"]

    def _memory(self, compiled) -> dict:
        """MiB: the compiler's count, and the most that this process has held so far."""
        found = {}
        memory = compiled.memory_analysis()
        if memory is not None:
            size = memory.argument_size_in_bytes + memory.output_size_in_bytes
            size += memory.temp_size_in_bytes - memory.alias_size_in_bytes
            found["compiled_mib"] = round(size / 2**20)
        stats = self._device.memory_stats() or {}
        if "peak_bytes_in_use" in stats:
            found["process_peak_mib"] = round(stats["peak_bytes_in_use"] / 2**20)
        return found
