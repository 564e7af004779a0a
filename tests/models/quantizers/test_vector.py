"""Families that search a codebook: losses, gradients, initialisation and updates."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from vq_jax.errors import InputError
from vq_jax.models.quantizers import base
from vq_jax.ops import code_usage, codebook, estimators, vectors
from vq_jax.testing.quantizers import apply, make, update


def _unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def _lookup(module, variables, indices):
    return module.apply(variables, indices, method="lookup")


def _all_codes(module, variables):
    indices = jnp.arange(module.codebook_size).reshape(1, 4, -1)
    codes = np.asarray(_lookup(module, variables, indices))
    return codes.reshape(module.codebook_size, -1)


# case -> weights of the codebook loss and of the commitment
WEIGHTS = {
    "vq_from_data": (1.0, 0.25),
    "vq_legacy": (0.25, 1.0),
    "vq_ema": (0.0, 0.25),
    "simvq": (1.0, 0.25),
    "cvq": (1.0, 0.25),
    "product": (0.0, 0.25),
}


@pytest.mark.parametrize("case", WEIGHTS)
def test_loss_and_its_gradient_are_the_definition(case):
    module, variables, z_e = make(case)
    codes_weight, encoder_weight = WEIGHTS[case]
    out = apply(module, variables, z_e, train=True)
    grad = jax.grad(lambda z: apply(module, variables, z, train=True).loss)(z_e)
    difference = np.asarray(z_e, np.float64) - np.asarray(out.z_q, np.float64)
    expected = (codes_weight + encoder_weight) * (difference**2).mean()
    np.testing.assert_allclose(out.loss, expected, rtol=1e-5)
    np.testing.assert_allclose(
        grad, encoder_weight * 2 * difference / difference.size, rtol=1e-4, atol=1e-8
    )


@pytest.mark.parametrize(("case", "weight"), [("vq_from_data", 1), ("vq_legacy", 0.25)])
def test_only_the_codebook_loss_moves_gradient_codes(case, weight):
    module, variables, z_e = make(case)

    def loss(params):
        return apply(module, {"params": params}, z_e, train=True).loss

    grad = jax.grad(loss)(variables["params"])["codes"]
    out = apply(module, variables, z_e, train=True)
    expected = np.zeros((16, 4))
    difference = weight * np.asarray(out.z_q - z_e).reshape(-1, 4)
    np.add.at(expected, np.asarray(out.indices).ravel(), 2 * difference / z_e.size)
    np.testing.assert_allclose(grad, expected, rtol=1e-4, atol=1e-7)


def test_cosine_compares_directions_and_gives_unit_codes():
    module, variables, z_e = make("vq_cosine")
    codes = _unit(np.asarray(variables["params"]["codes"], np.float64))
    scores = _unit(np.asarray(z_e, np.float64)).reshape(-1, 4) @ codes.T
    out = apply(module, variables, 7.0 * z_e, train=False)
    np.testing.assert_array_equal(out.indices.ravel(), scores.argmax(axis=1))
    np.testing.assert_allclose(
        out.z_q.reshape(-1, 4), codes[scores.argmax(axis=1)], rtol=1e-5, atol=1e-6
    )


def test_cosine_search_compares_directions_and_leaves_codes_as_they_are():
    module, variables, z_e = make("vq_from_data", distance="cosine_search")
    lengths = jnp.linspace(0.1, 5.0, 16)[:, None]
    codes = lengths * variables["params"]["codes"]
    variables = {**variables, "params": {"codes": codes}}
    z = np.asarray(z_e, np.float64)
    scores = _unit(z).reshape(-1, 4) @ _unit(np.asarray(codes, np.float64)).T
    out = apply(module, variables, z_e, train=True)
    np.testing.assert_array_equal(out.indices.ravel(), scores.argmax(axis=1))
    chosen = np.asarray(codes)[scores.argmax(axis=1)]
    np.testing.assert_array_equal(out.z_q.reshape(-1, 4), chosen)
    expected = 1.25 * ((z.reshape(-1, 4) - chosen) ** 2).mean()
    np.testing.assert_allclose(out.loss, expected, rtol=1e-5)


def test_closest_anchors_of_cvq_are_closest_by_the_distance_of_its_search():
    module, variables, z_e = make("cvq", distance="cosine_search")
    z_e = z_e * jnp.linspace(0.1, 5.0, z_e.size).reshape(z_e.shape)
    _, after = update(module, variables, z_e)
    z = np.asarray(z_e, np.float64).reshape(-1, 4)
    codes = np.asarray(variables["params"]["codes"], np.float64)
    anchors = z[(_unit(codes) @ _unit(z).T).argmax(axis=1)]
    share = np.asarray(after[base.STATE]["probs"], np.float64)[:, None]
    alpha = np.exp(-share * 16 * 10 / (1 - module.decay) - 1e-3)
    expected = (1 - alpha) * codes + alpha * anchors
    np.testing.assert_allclose(after["params"]["codes"], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("init", ["uniform", "fan_in", "data", "kmeans"])
@pytest.mark.parametrize("case", ["vq_cosine", "vq_ema_cosine"])
def test_codes_of_a_cosine_search_start_at_unit_length(case, init):
    module, variables, _ = make(case, codebook_init=init)
    codes = module.apply(variables, method="stored_codes")
    np.testing.assert_allclose(vectors.norm(codes), np.ones((16, 1)), rtol=1e-5)


@pytest.mark.parametrize(("init", "bound"), [("uniform", 1 / 16), ("fan_in", 0.433)])
def test_codes_before_any_data_are_uniform_within_a_bound(init, bound):
    module, variables, _ = make("vq", codebook_init=init)
    codes = np.abs(module.apply(variables, method="stored_codes"))
    assert 0.9 * bound < codes.max() <= bound


def test_the_map_of_simvq_may_have_a_bias():
    module, variables, _ = make("simvq", use_bias=True)
    layer = variables["params"]["transform"]
    layer = {**layer, "bias": jnp.arange(4.0)}
    codes = module.apply(
        {**variables, "params": {"transform": layer}}, method="stored_codes"
    )
    fixed = variables[base.STATE]["codes"]
    expected = np.asarray(fixed @ layer["kernel"]) + np.arange(4.0)
    np.testing.assert_allclose(codes, expected, rtol=1e-5, atol=1e-6)
    plain = make("simvq")[1]["params"]["transform"]
    assert plain.keys() == {"kernel"}


def test_the_gradient_of_cosine_passes_through_the_normalisation():
    module, variables, z_e = make("vq_cosine")
    weights = jax.random.normal(jax.random.key(5), z_e.shape)
    grad = jax.grad(
        lambda z: jnp.sum(weights * apply(module, variables, z, train=True).z_q)
    )(z_e)
    z, g = np.asarray(z_e, np.float64), np.asarray(weights, np.float64)
    direction = _unit(z)
    along = (direction * g).sum(-1, keepdims=True)
    expected = (g - along * direction) / np.linalg.norm(z, axis=-1, keepdims=True)
    np.testing.assert_allclose(grad, expected, rtol=1e-4, atol=1e-5)


def test_the_estimator_is_the_one_named():
    weights = jax.random.normal(jax.random.key(5), (2, 4, 4, 4))
    for case in ("vq_rotation", "simvq_rotation"):
        module, variables, z_e = make(case)
        out = apply(module, variables, z_e, train=True)

        def through(z, module=module, variables=variables):
            return jnp.sum(weights * apply(module, variables, z, train=True).z_q)

        expected = jax.grad(
            lambda z, z_q=out.z_q: jnp.sum(weights * estimators.rotation_trick(z, z_q))
        )(z_e)
        np.testing.assert_allclose(jax.grad(through)(z_e), expected, rtol=1e-5)


def test_diveq_moves_codes_by_the_gradient_of_z_q_and_keeps_the_distance():
    module, variables, z_e = make("vq_diveq")
    z_e = z_e + 0.3  # off the codes, which are vectors of z_e
    out = apply(module, variables, z_e, train=True)
    codes = _lookup(module, variables, out.indices)
    assert not np.allclose(out.z_q, codes, atol=1e-4)
    np.testing.assert_allclose(
        vectors.norm(out.z_q - z_e), vectors.norm(codes - z_e), rtol=1e-4
    )
    grad = jax.grad(
        lambda p: jnp.sum(apply(module, {"params": p}, z_e, train=True).z_q)
    )(variables["params"])["codes"]
    hit = np.unique(out.indices)
    assert np.all(np.any(np.asarray(grad)[hit] != 0, axis=1))


def test_ema_codes_do_not_take_part_in_diveq():
    with pytest.raises(InputError, match="use quantizer 'vq'"):
        make("vq_ema", estimator="diveq")


def test_penalties_are_added_with_their_weights():
    module, variables, z_e = make("vq_penalties")
    plain, _, _ = make("vq_from_data")
    out = apply(module, variables, z_e, train=True)
    without = apply(plain, variables, z_e, train=True)
    z = np.asarray(z_e, np.float64).reshape(-1, 4)
    codes = _all_codes(module, variables).astype(np.float64)
    logits = -((z[:, None] - codes[None]) ** 2).sum(-1)
    probs = np.exp(logits - logits.max(1, keepdims=True))
    probs /= probs.sum(1, keepdims=True)
    mean = probs.mean(0)
    sample_entropy = -(probs * np.log(probs)).sum(1).mean()
    entropies = sample_entropy + (mean * np.log(mean)).sum()
    cosines = _unit(codes) @ _unit(codes).T
    expected = 0.1 * entropies + 0.1 * ((cosines**2).mean() - 1 / 16)
    np.testing.assert_allclose(out.loss - without.loss, expected, rtol=1e-4)


@pytest.mark.parametrize("case", ["vq_from_data", "vq_ema", "soft"])
def test_initialisation_from_data_makes_vectors_of_z_e_the_codes(case):
    module, variables, z_e = make(case)
    rows = {tuple(v) for v in np.asarray(z_e).reshape(-1, 4)}
    assert {tuple(c) for c in _all_codes(module, variables)} <= rows


def test_kmeans_initialises_nearer_to_the_data_than_random_vectors():
    losses = []
    for case in ("vq_kmeans", "vq_from_data"):
        module, variables, z_e = make(case)
        losses.append(float(apply(module, variables, z_e, train=False).loss))
    assert losses[0] < 0.8 * losses[1]


def test_an_ema_update_is_that_of_the_averages_and_comes_one_step_late():
    module, variables, z_e = make("vq_ema_no_restart")
    out, updated = update(module, variables, z_e)
    old = variables[base.STATE]["state"]
    statistics = codebook.code_statistics(z_e.reshape(-1, 4), out.indices.ravel(), 16)
    expected = codebook.ema_update(old, statistics, 0.99)
    for found, wanted in zip(updated[base.STATE]["state"], expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(out.z_q, old.codes[out.indices])


def test_ema_codes_of_the_cosine_distance_average_unit_vectors():
    module, variables, z_e = make("vq_ema_cosine", restart_threshold=0.0, decay=0.0)
    out, updated = update(module, variables, z_e)
    z = _unit(np.asarray(z_e, np.float64)).reshape(-1, 4)
    codes = np.asarray(updated[base.STATE]["state"].codes)
    for index in np.unique(out.indices):
        mine = z[np.asarray(out.indices).ravel() == index]
        np.testing.assert_allclose(codes[index], mine.mean(axis=0), rtol=1e-4)


@pytest.mark.parametrize("restart", ["resample", "split"])
@pytest.mark.parametrize("family", ["vq_resample", "vq_ema"])
def test_a_codebook_collapsed_to_one_code_recovers_within_200_steps(family, restart):
    module, variables, _ = make(
        family, codebook_size=64, restart=restart, restart_threshold=0.1
    )
    z_e = jax.random.normal(jax.random.key(9), (8, 16, 16, 4))

    def collapse(leaf):
        # One code amid the data, the others far away: it takes every vector.
        far = jnp.full_like(leaf, 50.0)
        return far.at[0].set(0.0) if leaf.shape == (64, 4) else leaf

    variables = jax.tree.map(collapse, variables)
    out = apply(module, variables, z_e, train=True)
    assert len(np.unique(out.indices)) == 1

    tx = optax.adam(0.1)

    def step(i, carry):
        variables, opt_state = carry
        params = variables.get("params", {})
        grads = jax.grad(
            lambda p: apply(module, {**variables, "params": p}, z_e, train=False).loss
        )(params)
        updates, opt_state = tx.update(grads, opt_state, params)
        params = optax.apply_updates(params, updates)
        _, collections = module.apply(
            variables,
            z_e,
            train=True,
            rngs={"codebook": jax.random.fold_in(jax.random.key(3), i)},
            mutable=[base.STATISTICS, base.CANDIDATES],
        )
        if params:
            variables = {**variables, "params": params}
        _, updated = module.apply(
            {**variables, **collections}, method="update", mutable=list(variables)
        )
        return dict(updated), opt_state

    carry = variables, tx.init(variables.get("params", {}))
    variables, _ = jax.jit(lambda c: jax.lax.fori_loop(0, 200, step, c))(carry)
    indices = apply(module, variables, z_e, train=False).indices
    assert code_usage.usage(code_usage.code_counts(indices, 16)) > 0.9


def test_a_restart_of_gradient_codes_counts_only_what_is_dead():
    module, variables, _ = make("vq_resample", decay=0.0)
    z_e = jax.random.normal(jax.random.key(7), (2, 4, 4, 4))
    out, updated = update(module, variables, z_e)
    counts = np.bincount(np.asarray(out.indices).ravel(), minlength=16)
    dead = counts < 0.5 * counts.mean()
    assert dead.any()
    old, new = variables["params"]["codes"], updated["params"]["codes"]
    # The codes that stay go through a product and a quotient with their count.
    np.testing.assert_allclose(new[~dead], old[~dead], rtol=1e-6)
    rows = {tuple(v) for v in np.asarray(z_e).reshape(-1, 4)}
    assert {tuple(c) for c in np.asarray(new)[dead]} <= rows
    np.testing.assert_allclose(
        updated[base.STATE]["counts"], np.where(dead, counts.mean(), counts)
    )


def test_clustered_codes_go_to_the_vector_nearest_to_them_unless_used():
    module, variables, z_e = make("cvq", decay=0.5)
    out, updated = update(module, variables, z_e)
    z = np.asarray(z_e, np.float64).reshape(-1, 4)
    codes = np.asarray(variables["params"]["codes"], np.float64)
    nearest = ((codes[:, None] - z[None]) ** 2).sum(-1).argmin(axis=1)
    share = np.bincount(np.asarray(out.indices).ravel(), minlength=16) / len(z)
    probs = 0.5 * share
    alpha = np.exp(-probs * 16 * 10 / 0.5 - 1e-3)[:, None]
    expected = (1 - alpha) * codes + alpha * z[nearest]
    np.testing.assert_allclose(
        updated["params"]["codes"], expected, rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(updated[base.STATE]["probs"], probs, rtol=1e-6)


def test_every_code_of_simvq_moves_with_the_map_and_the_frozen_part_stays():
    module, variables, z_e = make("simvq")
    before = _all_codes(module, variables)

    def loss(params):
        return apply(module, {**variables, "params": params}, z_e, train=True).loss

    grads = jax.grad(loss)(variables["params"])
    params = jax.tree.map(lambda p, g: p - 0.1 * g, variables["params"], grads)
    after = _all_codes(module, {**variables, "params": params})
    assert np.all(np.any(before != after, axis=1))
    _, updated = update(module, variables, z_e)
    np.testing.assert_array_equal(
        updated[base.STATE]["codes"], variables[base.STATE]["codes"]
    )
