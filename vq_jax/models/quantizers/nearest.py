"""What all families have in common that search a codebook for the nearest code."""

from typing import Literal

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float, Int

from vq_jax.models.quantizers import base
from vq_jax.ops import codebook, distances, entropy, estimators, vectors
from vq_jax.ops.kmeans import kmeans


class NearestCodeQuantizer(base.Quantizer):
    """Search, estimator and penalties; a family adds its codes and its own losses.

    loss = the family's own + entropy_weight · (mean H(p) - H(mean p)) +
    orthogonality_weight · mean (unit e_i · unit e_j)², p = softmax(-‖z_e - e‖² /
    entropy_temperature). The entropies are MaskGIT's (2202.04200, released code); both
    terms move encoder and codes. They cost memory O(codebook_size) only, and the flops
    of a second search, three times with their gradients.

    Attributes:
        codebook_size: number of codes, K.
        code_dim: dimension of a code, D; `z_e` must have as many channels.
        distance: "cosine" divides vectors and codes by their length, in the search, in
            the losses and in `z_q` (ViT-VQGAN 2110.04627, sec. 3.2).
        estimator: how the gradient of `z_q` passes to `z_e`: "straight_through"
            unchanged, "rotation" turned, "diveq" along a noisy direction in training,
            which moves the codes too and replaces their losses: give those weight 0.
        diveq_variance: variance of that noise, in units of `z_e`².
        entropy_weight: 0 does not compute it.
        entropy_temperature: τ of the soft assignment.
        orthogonality_weight: 0 does not compute it; of use where codes are parameters.
    """

    codebook_size: int = 512
    code_dim: int = 64
    distance: Literal["euclidean", "cosine"] = "euclidean"
    estimator: Literal["straight_through", "rotation", "diveq"] = "straight_through"
    diveq_variance: float = 5e-3
    entropy_weight: float = 0.0
    entropy_temperature: float = 0.01
    orthogonality_weight: float = 0.0

    def setup(self):
        base.check_range("codebook_size", self.codebook_size, 1)
        base.check_range("diveq_variance", self.diveq_variance, 0.0)
        base.check_range("entropy_temperature", self.entropy_temperature, 1e-6)

    def stored_codes(self) -> Float[Array, "k d"]:
        """The family's codes, float32, before any normalisation."""
        raise NotImplementedError

    def own_losses(
        self, z: Float[Array, "*n d"], codes: Float[Array, "*n d"]
    ) -> tuple[Float[Array, ""], dict]:
        """The family's weighted loss, and its unweighted terms for the logs."""
        raise NotImplementedError

    def record(self, z: Float[Array, "n d"], indices: Int[Array, "n"]) -> None:
        """Writes what `update` needs of a training batch, already normalised."""

    @property
    def hard_in_training(self) -> bool:
        return self.estimator != "diveq"

    @property
    def learns_from_output(self) -> bool:
        return self.estimator == "diveq"

    def codes(self) -> Float[Array, "k d"]:
        """The codes as they are searched and looked up, float32."""
        return self.normalised(self.stored_codes())

    def __call__(
        self, z_e: Float[Array, "b hq wq d"], *, train: bool
    ) -> base.QuantizerOutput:
        z, codes = self.normalised(z_e), self.codes()
        indices = distances.nearest_code(z, codes)
        chosen = codes[indices]
        if train:
            self.record(z.reshape(-1, self.code_dim), indices.ravel())
        loss, metrics = self.own_losses(z, chosen)
        penalty, penalties = self._penalties(z.reshape(-1, self.code_dim), codes)
        return base.QuantizerOutput(
            z_q=self._estimate(z, chosen, train=train).astype(self.dtype),
            indices=indices,
            loss=loss + penalty,
            metrics={**metrics, **penalties},
        )

    def lookup(self, indices: Int[Array, "b hq wq"]) -> Float[Array, "b hq wq d"]:
        return self.codes()[indices].astype(self.dtype)

    def normalised(self, x: Float[Array, "*n d"]) -> Float[Array, "*n d"]:
        """`x` in float32, of length 1 where the distance is the cosine's."""
        return vectors.unit(x) if self.distance == "cosine" else x.astype(jnp.float32)

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
                squared = distances.squared_distances(rows, codes)
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
    """Nearest codes that start on data, and restart where they are dead.

    Attributes:
        codebook_init: "data" starts on vectors of the first batch, "kmeans" on ten of
            Lloyd's iterations over it (SoundStream 2107.03312, sec. III-C), "uniform"
            at U(-1/K, 1/K).
        restart: "resample" moves a dead code to a vector of the current batch, "split"
            next to the most used code (UViM 2205.10337).
        restart_threshold: a code is dead when its averaged count is below this fraction
            of the mean count; 0 never moves one.
        decay: γ of the averaged counts, per step.
    """

    codebook_init: Literal["uniform", "data", "kmeans"] = "data"
    restart: Literal["resample", "split"] = "resample"
    restart_threshold: float = 0.1
    decay: float = 0.99

    def setup(self):
        super().setup()
        base.check_range("restart_threshold", self.restart_threshold, 0.0, 1.0)
        base.check_range("decay", self.decay, 0.0, 1.0)

    @property
    def starts_from_data(self) -> bool:
        return self.codebook_init != "uniform"

    @nn.nowrap
    def uniform_codes(self, key) -> Float[Array, "k d"]:
        """U(-1/K, 1/K), the customary start of VQ-VAE and VQGAN code."""
        bound = 1.0 / self.codebook_size
        shape = (self.codebook_size, self.code_dim)
        return jax.random.uniform(key, shape, jnp.float32, -bound, bound)

    def codes_from(self, z_e: Float[Array, "b hq wq d"]) -> Float[Array, "k d"]:
        """Codes to start with, from vectors of the first batch."""
        rows = lax.stop_gradient(self.normalised(z_e)).reshape(-1, self.code_dim)
        place = kmeans if self.codebook_init == "kmeans" else codebook.sample_vectors
        return place(rows, self.codebook_size, self.make_rng("codebook"))

    def record(self, z: Float[Array, "n d"], indices: Int[Array, "n"]) -> None:
        self.add_statistics(
            batch=codebook.code_statistics(z, indices, self.codebook_size)
        )
        if self.restart_threshold > 0:
            key = self.make_rng("codebook")
            if self.restart == "split":
                # A key is all that splitting needs of a batch.
                self.replace_candidates(seed=jax.random.bits(key))
                return
            rows = codebook.sample_vectors(
                lax.stop_gradient(z), self.codebook_size, key
            )
            self.replace_candidates(vectors=rows)

    def restarted(self, state: codebook.CodebookState) -> codebook.CodebookState:
        """`state` with its dead codes moved; codes, counts and sums together."""
        if self.restart_threshold == 0:
            return state
        if self.restart == "split":
            key = jax.random.key(self.get_variable(base.CANDIDATES, "seed"))
            return codebook.split_most_used(state, self.restart_threshold, key)
        candidates = self.get_variable(base.CANDIDATES, "vectors")
        return codebook.restart_dead_codes(state, candidates, self.restart_threshold)
