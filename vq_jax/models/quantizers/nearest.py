"""What the families that search a codebook for the nearest code have in common."""

import math
from typing import Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float, Int

from vq_jax.config import ranges
from vq_jax.models.quantizers import base
from vq_jax.ops import codebook, distances, entropy, estimators, vectors
from vq_jax.ops.kmeans import kmeans


class NearestCodeQuantizer(base.Quantizer):
    """Replaces each vector of `z_e` by the nearest code; families differ in the codes.

    loss = the family's own + entropy_weight · (mean H(p) - H(mean p)) +
    orthogonality_weight · mean (unit e_i · unit e_j)², p = softmax(-‖z_e - e‖² /
    entropy_temperature). The entropies are MaskGIT's (2202.04200, released code), and
    move encoder and codes. They need O(codebook_size) memory, and the flops of one more
    search, or with gradients of three.

    Attributes:
        codebook_size: number of codes, K.
        code_dim: dimension of a code, D; `z_e` must have as many channels.
        distance: "euclidean"; "cosine", which divides vectors and codes by their
            length in the search, in the losses and in `z_q` (ViT-VQGAN 2110.04627, sec.
            3.2); or "cosine_search", which does so in the search only, as CVQ's code by
            default and VAR's with `using_znorm`.
        estimator: how the gradient of `z_q` passes to `z_e` (`ops/estimators.py`):
            "straight_through" unchanged, "rotation" rotated, "diveq" along a noisy
            direction in training. DiVeQ trains the codes too and replaces their losses,
            whose weights should be 0.
        diveq_variance: variance of DiVeQ's noise.
        entropy_weight: weight of the entropy term; 0 does not compute it.
        entropy_temperature: τ of the soft assignment p.
        orthogonality_weight: weight of the orthogonality term; 0 does not compute it.
            It has an effect only where codes are parameters.
    """

    codebook_size: ranges.CodebookSize = 512
    code_dim: ranges.Width = 64
    distance: Literal["euclidean", "cosine", "cosine_search"] = "euclidean"
    estimator: Literal["straight_through", "rotation", "diveq"] = "straight_through"
    diveq_variance: ranges.Weight = 5e-3
    entropy_weight: ranges.Weight = 0.0
    entropy_temperature: ranges.Positive = 0.01
    orthogonality_weight: ranges.Weight = 0.0

    def stored_codes(self) -> Float[Array, "k d"]:
        """The family's codes as they are stored, float32, before normalisation."""
        raise NotImplementedError

    def own_losses(
        self, z: Float[Array, "*n d"], codes: Float[Array, "*n d"]
    ) -> tuple[Float[Array, ""], dict]:
        """The family's own weighted loss, and its unweighted terms for the logs."""
        raise NotImplementedError

    def save_for_update(self, z: Float[Array, "n d"], indices: Int[Array, "n"]) -> None:
        """Writes what `update` needs of a training batch; `z` is normalised."""

    @property
    def hard_in_training(self) -> bool:
        return self.estimator != "diveq"

    @property
    def learns_from_z_q(self) -> bool:
        return self.estimator == "diveq"

    def codes(self) -> Float[Array, "k d"]:
        """The codes as they are searched and looked up, float32."""
        return self.normalised(self.stored_codes())

    def __call__(self, z_e: base.Latents, *, train: bool) -> base.QuantizerOutput:
        z, codes = self.normalised(z_e), self.codes()
        indices = self.nearest(z, codes)
        chosen = codes[indices]
        if train:
            self.save_for_update(z.reshape(-1, self.code_dim), indices.ravel())
        loss, metrics = self.own_losses(z, chosen)
        penalty, penalties = self._penalties(z.reshape(-1, self.code_dim), codes)
        return base.QuantizerOutput(
            z_q=self._estimate(z, chosen, train=train).astype(self.dtype),
            indices=indices,
            loss=loss + penalty,
            metrics={**metrics, **penalties},
        )

    def lookup(self, indices: Int[Array, "b hq wq"]) -> base.Latents:
        return self.codes()[indices].astype(self.dtype)

    def normalised(self, x: Float[Array, "*n d"]) -> Float[Array, "*n d"]:
        """`x` in float32, scaled to length 1 where `distance` is "cosine"."""
        return vectors.unit(x) if self.distance == "cosine" else x.astype(jnp.float32)

    def nearest(
        self, z: Float[Array, "*n d"], codes: Float[Array, "k d"]
    ) -> Int[Array, "*n"]:
        """Index of the nearest of `codes` to each vector, both as `normalised`."""
        return distances.nearest_code(self._compared(z), self._compared(codes))

    def _compared(self, x):
        return vectors.unit(x) if self.distance == "cosine_search" else x

    def _estimate(self, z, chosen, *, train: bool):
        if self.estimator == "rotation":
            return estimators.rotation_trick(z, chosen)
        if self.estimator == "diveq" and train:
            deviation = self.diveq_variance**0.5
            noise = jax.random.normal(self.make_rng("codebook"), z.shape)
            return estimators.diveq(z, chosen, deviation * noise)
        return estimators.straight_through(z, chosen)

    def _penalties(self, z, codes):
        loss, metrics = jnp.zeros(()), {}
        if self.entropy_weight:

            def logits_fn(rows):
                squared = distances.squared_distances(
                    self._compared(rows), self._compared(codes)
                )
                return -squared / self.entropy_temperature

            sample, mean = entropy.assignment_entropies(
                logits_fn, z, self.codebook_size
            )
            metrics |= {"sample_entropy": sample, "codebook_entropy": mean}
            loss += self.entropy_weight * (sample - mean)
        if self.orthogonality_weight:
            value = entropy.orthogonality(codes)
            metrics["orthogonality"] = value
            loss += self.orthogonality_weight * value
        return loss, metrics


class RestartingQuantizer(NearestCodeQuantizer):
    """A nearest-code search with data-dependent initialisation, and with restarts.

    Attributes:
        codebook_init: initial codes. "data" takes vectors of the first batch, "kmeans"
            their means after ten of Lloyd's iterations (SoundStream 2107.03312, sec.
            III-C), "uniform" draws from U(-1/K, 1/K), as most code, and "fan_in" from
            U(-√(3/K), √(3/K)), as MaskGIT's. With distance "cosine" all have length 1:
            the shorter a code is, the further the first steps of Adam turn it.
        restart: where a dead code is moved: "resample" to a vector of the current
            batch, "split" next to the most used code (UViM 2205.10337).
        restart_threshold: a code is dead when its averaged count is below this fraction
            of the mean count; 0 has no restarts.
        decay: γ of the averaged counts, per step.
    """

    codebook_init: Literal["uniform", "fan_in", "data", "kmeans"] = "data"
    restart: Literal["resample", "split"] = "resample"
    restart_threshold: ranges.Fraction = 0.1
    decay: ranges.Fraction = 0.99

    @property
    def needs_data_init(self) -> bool:
        return self.codebook_init in ("data", "kmeans")

    @nn.nowrap
    def random_codes(self, key) -> Float[Array, "k d"]:
        """Codes from a uniform distribution, before any data are seen."""
        bound = 1.0 / self.codebook_size
        if self.codebook_init == "fan_in":
            bound = math.sqrt(3.0 / self.codebook_size)
        shape = (self.codebook_size, self.code_dim)
        codes = jax.random.uniform(key, shape, jnp.float32, -bound, bound)
        return vectors.unit(codes) if self.distance == "cosine" else codes

    def codes_from(self, z_e: base.Latents) -> Float[Array, "k d"]:
        """Initial codes from the latents of the first batch."""
        rows = lax.stop_gradient(self.normalised(z_e)).reshape(-1, self.code_dim)
        key = self.make_rng("codebook")
        if self.codebook_init == "kmeans":
            # Means of unit vectors are shorter than 1.
            return self.normalised(kmeans(rows, self.codebook_size, key))
        return codebook.sample_vectors(rows, self.codebook_size, key)

    def save_for_update(self, z: Float[Array, "n d"], indices: Int[Array, "n"]) -> None:
        """Writes the codes' counts and sums over the batch, and what restarts need."""
        self.add_statistics(
            batch=codebook.code_statistics(z, indices, self.codebook_size)
        )
        if self.restart_threshold > 0:
            key = self.make_rng("codebook")
            if self.restart == "split":
                # `update` is applied without keys, so the noise of its splits needs a
                # seed from here; as bits it is an array like all candidates.
                self.replace_candidates(split_seed=jax.random.bits(key))
                return
            rows = codebook.sample_vectors(
                lax.stop_gradient(z), self.codebook_size, key
            )
            self.replace_candidates(vectors=rows)

    def restarted(self, state: codebook.CodebookState) -> codebook.CodebookState:
        """`state` after the restarts of its dead codes."""
        if self.restart_threshold == 0:
            return state
        if self.restart == "split":
            key = jax.random.key(self.get_variable(base.CANDIDATES, "split_seed"))
            return codebook.split_most_used(state, self.restart_threshold, key)
        candidates = self.get_variable(base.CANDIDATES, "vectors")
        return codebook.restart_dead_codes(state, candidates, self.restart_threshold)
