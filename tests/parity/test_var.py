"""Next-scale prediction against VAR's own code, and the codes that it draws.

Goldens are float32 on a CPU; sums in another order differ by 1e-6 to 1e-5.
"""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict
from ml_collections import ConfigDict

from vq_jax.models.build import build_quantizer
from vq_jax.models.priors.base import NO_CLASS, TOKENIZER
from vq_jax.models.priors.next_scale import NextScalePrior
from vq_jax.ops.sampling import Sampling
from vq_jax.pretrained import var
from vq_jax.testing import priors
from vq_jax.testing.goldens import load, named_weight

SCALES, NUM_CLASSES = (1, 2, 3, 5), 3
CASES = {
    "var": {"unit_attention": True, "shared_adaln": False},
    "var_shared": {"unit_attention": False, "shared_adaln": True},
}


@pytest.fixture(params=CASES)
def case(request):
    """The golden, the prior and its variables."""
    golden = load(request.param)
    quantizer = build_quantizer(
        ConfigDict(
            {
                "name": "multi_scale",
                "scales": SCALES,
                "inner": {"name": "vq", "codebook_size": 6},
            }
        ),
        code_dim=4,
        dtype="float32",
    )
    prior = NextScalePrior(
        layout=priors.scales_layout(SCALES, 6),
        num_classes=NUM_CLASSES,
        class_dropout=0.1,
        quantizer=quantizer,
        num_layers=2,
        num_heads=2,
        hidden_dim=8,
        **CASES[request.param],
    )
    shapes = json.loads(str(golden["shapes"]))
    state = {name: named_weight(name, tuple(shape)) for name, shape in shapes.items()}
    of_quantizer = {
        name.removeprefix("quantize."): state.pop(name)
        for name in list(state)
        if name.startswith("quantize.")
    }
    params = _tree(var.convert(state))
    tokenizer = {"params": {"quantizer": _tree(var.convert_quantizer(of_quantizer))}}
    return golden, prior, {"params": params, TOKENIZER: tokenizer}


def _tree(flat):
    return unflatten_dict(jax.tree.map(jnp.asarray, flat), sep="/")


def _labels(golden):
    return np.where(golden["labels"] == NUM_CLASSES, NO_CLASS, golden["labels"])


def _apply(prior, variables, method, *args, **options):
    call = jax.jit(lambda v, *args: prior.apply(v, *args, method=method, **options))
    return call(variables, *args)


def test_all_parameters_are_converted(case):
    _, prior, variables = case
    wanted = priors.variables(prior)

    def shapes(tree):
        return {path: leaf.shape for path, leaf in flatten_dict(tree).items()}

    assert shapes(variables["params"]) == shapes(wanted["params"])
    assert shapes(variables[TOKENIZER]) == shapes(wanted[TOKENIZER])


def test_inputs_and_logits_are_vars(case):
    golden, prior, variables = case
    own = {"params": variables[TOKENIZER]["params"]["quantizer"]}
    codes = jnp.asarray(golden["codes"], jnp.int32)
    inputs = prior.quantizer.apply(own, codes, method="prior_inputs")
    np.testing.assert_allclose(inputs, golden["inputs"], atol=1e-5)
    labels = jnp.asarray(_labels(golden), jnp.int32)
    logits = _apply(prior, variables, "logits", codes, labels, train=False)
    np.testing.assert_allclose(logits, golden["logits"], atol=2e-5)


def test_guided_draws_are_vars(case):
    golden, prior, variables = case
    keys = jax.random.split(jax.random.key(0), 3)
    cold = Sampling(top_k=1, guidance=2.5, guidance_schedule="linear")
    labels = jnp.asarray(_labels(golden), jnp.int32)
    codes = jax.jit(
        lambda v: prior.apply(v, keys, labels, cold, None, method="sample")
    )(variables)
    np.testing.assert_array_equal(codes, golden["likeliest"])
    own = {"params": variables[TOKENIZER]["params"]["quantizer"]}
    z_q = prior.quantizer.apply(own, codes, method="lookup")
    np.testing.assert_allclose(z_q, golden["likeliest_z_q"], atol=2e-5)
