"""Cross-entropy of codes, against its definition in NumPy."""

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict

from vq_jax import sharding
from vq_jax.errors import InputError
from vq_jax.evaluation.likelihood import Likelihood
from vq_jax.evaluation.prior import PriorSubject
from vq_jax.models.build import build_prior
from vq_jax.models.priors.base import TOKENIZER
from vq_jax.ops.sampling import Sampling
from vq_jax.testing.given_codes import given_codes

PIXELS = 16**2
K = 16


def _split(data_of, shape, count, seed):
    rng = np.random.default_rng(seed)
    skewed = rng.integers(0, data_of, (count, *shape), dtype=np.int32)
    return skewed, rng.integers(0, 2, count, dtype=np.int32)


def _likelihood(quantizer, **fields):
    shape = given_codes(quantizer).tokenizer.layout.shape
    data = given_codes(
        quantizer, train=_split(5, shape, 40, 0), test=_split(8, shape, 21, 1)
    )
    fields = {"class_dropout": 0.9, "num_classes": 2, **fields}
    config = ConfigDict({"name": "independent", **fields})
    prior = build_prior(config, data.tokenizer.model, 16)
    mesh = sharding.make_mesh(data=-1, fsdp=1)
    subject = PriorSubject(
        prior,
        data.data,
        "test",
        mesh,
        tokenizer=data.tokenizer,
        code_data=data,
        sampling=Sampling(),
    )
    return Likelihood(subject=subject, where="here", batch_size=8, train_images=16)


def _measured(likelihood, logits):
    nets = {TOKENIZER: {}}
    return likelihood({"params": {"logits": logits}}, nets).metrics


def _nats_per_token(logits, codes, labels, layout):
    """Of histograms: minus log-softmax of each code, summed by hand."""
    logs = logits - np.log(np.exp(logits.astype("f8")).sum(-1, keepdims=True))
    sequence = np.asarray(layout.to_sequence(jax.numpy.asarray(codes)))
    rows, tokens = np.indices(sequence.shape)
    return -logs[labels[rows], tokens, sequence].mean()


def _order0(codes):
    """The mean over codebooks, which are the last axis behind the grid."""
    books = codes.reshape(-1, 1) if codes.ndim == 3 else codes.reshape(-1, 3)
    entropies = []
    for book in books.T:
        probs = np.bincount(book, minlength=K) / len(book)
        entropies.append(-sum(p * np.log(p) for p in probs if p))
    return np.mean(entropies)


@pytest.mark.parametrize("quantizer", ["vq", "residual"])
def test_it_is_the_definition_over_all_images_and_no_padding(quantizer):
    likelihood = _likelihood(quantizer)
    layout = likelihood.subject.model.layout
    logits = np.random.default_rng(2).normal(size=(3, layout.num_tokens, K))
    found = _measured(likelihood, logits.astype("f4"))
    splits = likelihood.subject.code_data.splits
    for prefix, split, limit in (("", "test", 21), ("train_", "train", 16)):
        codes, labels = (array[:limit] for array in splits[split])
        nats = _nats_per_token(logits, codes, labels, layout)
        expected = {"": nats, "order0_": _order0(codes)}
        for name, value in expected.items():
            assert found[f"{prefix}{name}nats_per_token"] == pytest.approx(value)
            bits = layout.num_tokens * value / (np.log(2) * PIXELS)
            assert found[f"{prefix}{name}bits_per_pixel"] == pytest.approx(bits)
        assert found[f"{prefix}num_images"] == limit
    assert found["uniform_nats_per_token"] == pytest.approx(np.log(K))
    bits = layout.num_tokens * 4 / PIXELS
    assert found["uniform_bits_per_pixel"] == pytest.approx(bits)
    gap = found["nats_per_token"] - found["train_nats_per_token"]
    assert found["gap_nats_per_token"] == pytest.approx(gap)


def test_labels_that_the_prior_has_not_learnt_are_refused():
    few = _likelihood("vq", num_classes=1)
    with pytest.raises(InputError, match=r"'test' has 2 classes, .* prior learnt 1"):
        _measured(few, np.zeros((2, 16, K), "f4"))
    unlabelled = _likelihood("vq", class_dropout=0.0)
    unlabelled.subject.code_data.splits["test"][1][:] = -1
    unlabelled.subject.code_data.splits["train"][1][:] = -1
    with pytest.raises(InputError, match=r"'test' has no classes, .*dropout=0\)"):
        _measured(unlabelled, np.zeros((3, 16, K), "f4"))


def test_a_bound_is_called_one(monkeypatch):
    likelihood = _likelihood("vq")
    monkeypatch.setattr(type(likelihood.subject.model), "likelihood", "bound")
    found = _measured(likelihood, np.zeros((3, 16, K), "f4"))
    assert found["bound_nats_per_token"] == pytest.approx(np.log(K))
    assert {"bound_bits_per_pixel", "train_bound_nats_per_token"} <= set(found)
    assert not {"nats_per_token", "bits_per_pixel"} & set(found)
    assert not likelihood.signs()["parted"].shows(found)


def _by_heart(codes, labels, layout):
    """Logits of the histograms of these few images, by class and position."""
    counts = np.full((3, layout.num_tokens, K), 0.1, "f4")
    sequence = np.asarray(layout.to_sequence(jax.numpy.asarray(codes)))
    for row, label in zip(sequence, labels, strict=True):
        counts[label, np.arange(len(row)), row] += 1.0
    return np.log(counts)


def test_a_prior_that_knows_its_images_by_heart_raises_the_sign():
    likelihood = _likelihood("vq")
    layout, data = likelihood.subject.model.layout, likelihood.subject.code_data
    codes, labels = (array[:16] for array in data.splits["train"])
    sign = likelihood.signs()["parted"]
    found = _measured(likelihood, _by_heart(codes, labels, layout))
    assert found["train_nats_per_token"] < found["train_order0_nats_per_token"] - 0.1
    assert sign.shows(found)
    assert not sign.shows(_measured(likelihood, np.zeros((3, 16, K), "f4")))


@pytest.mark.parametrize(
    ("held_out", "train", "shows"),
    # Gains of 1, of which 0.8 and 0.7 are shared; and one of next to nothing.
    [(2.2, 2.0, False), (2.3, 2.0, True), (3.3, 2.97, False)],
)
def test_the_sign_is_about_what_is_learnt_beyond_a_histogram(held_out, train, shows):
    metrics = {"nats_per_token": held_out, "train_nats_per_token": train}
    metrics |= {f"{part}order0_nats_per_token": 3.0 for part in ("", "train_")}
    assert _likelihood("vq").signs()["parted"].shows(metrics) == shows


def test_without_training_images_nothing_is_compared():
    likelihood = _likelihood("vq")
    alone = Likelihood(
        subject=likelihood.subject, where="here", batch_size=8, train_images=0
    )
    found = _measured(alone, np.zeros((3, 16, K), "f4"))
    assert not [name for name in found if "train" in name or "gap" in name]
    assert not alone.signs()["parted"].shows(found)
