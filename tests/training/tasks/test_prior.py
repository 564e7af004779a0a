"""Runs of a prior: their tokenizer, their resumption, their alarms."""

import contextlib
import io
import itertools
import json
import shutil

import jax
import numpy as np
import pytest
from rich.console import Console

from vq_jax import InputError, sharding
from vq_jax.pretrained.nets import load
from vq_jax.testing import trained
from vq_jax.testing.runs import logged
from vq_jax.training import run, setup
from vq_jax.training.alarms import Alarms
from vq_jax.training.tasks.build import build_task


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder with images and two tokenizers, "tokenizer" and "other"."""
    root = tmp_path_factory.mktemp("priors")
    trained.write_images(root / "images")
    trained.write_tokenizer(root / "tokenizer", root / "images")
    trained.write_tokenizer(root / "other", root / "images", seed=1)
    return root


def _config(root, tokenizer="tokenizer", **fields):
    config = trained.prior_config("independent", root / tokenizer, root / "images")
    config.num_steps, config.log_every, config.checkpoint.every = 12, 2, 6
    config.ema_decay = 0.9
    config.evaluations = {"likelihood": {"every": 6, "batch_size": 8}}
    config.update(fields)
    return config


def _train(config, workdir):
    printed = io.StringIO()
    assert run.train(config, workdir, Console(file=printed, width=200)) == 0
    return printed.getvalue()


@pytest.fixture(scope="module")
def whole(root):
    """The workdir of a run that nothing stopped, and what it printed."""
    return root / "whole", _train(_config(root), root / "whole")


def test_it_says_what_it_learns_and_how_well(root, whole):
    workdir, printed = whole
    assert f"{root / 'tokenizer'}, step 0" in printed
    assert "4x4 codes of 480, 3 classes; uniform: 6.174 nats a token" in printed
    assert "30 images in 3 classes" in printed
    last = [line for line in logged(workdir) if "eval/train/nats_per_token" in line][-1]
    assert last["step"] == 12
    uniform = last["eval/train/uniform_nats_per_token"]
    assert uniform == pytest.approx(np.log(480))
    assert last["eval/train/nats_per_token"] < uniform - 0.1
    # The same images, cropped alike.
    assert last["eval/train/gap_nats_per_token"] == pytest.approx(0.0, abs=1e-5)


def test_it_resumes_bit_for_bit_with_a_tokenizer_that_has_moved(root, whole, tmp_path):
    half = _config(root)
    half.num_steps = 6
    _train(half, tmp_path / "parts")
    shutil.copytree(root / "tokenizer", tmp_path / "moved")
    again = _config(root)
    again.tokenizer = str(tmp_path / "moved")
    assert "6 -> 12" in _train(again, tmp_path / "parts")
    assert logged(tmp_path / "parts") == logged(whole[0])


def test_another_tokenizer_is_refused(root, whole):
    config = _config(root, "other")
    config.num_steps = 14
    with pytest.raises(InputError, match="was made with another tokenizer"):
        _train(config, whole[0])
    assert logged(whole[0])[-1]["step"] == 12


def test_a_checkpoint_has_no_arrays_of_the_tokenizer(whole):
    saved = whole[0] / "checkpoints" / "12" / "state" / "_METADATA"
    names = json.loads(saved.read_text())["tree_metadata"]
    assert not [name for name in names if "encoder" in name or "decoder" in name]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tokenizer": ""}, r"config.tokenizer is empty; name the workdir"),
        ({"tokenizer": "none"}, r"config.tokenizer=none: .*none does not exist"),
        ({"data": {"image_size": 32}}, r"config.data.image_size=32 but the tokenizer"),
        ({"data": {"channels": 1}}, r"config.data.channels=1 but the tokenizer"),
        ({"prior": {"name": "gpt5"}}, r"config.prior.name='gpt5' is unknown; choose"),
        ({"sampling": {"top_k": 481}}, r"top_k=481 is more than the 480 codes"),
        (
            {"sampling": {"guidance": 2.0}, "prior": {"class_dropout": 0.0}},
            r"guidance=2.0",
        ),
        ({"prior": {"num_classes": 0}}, r"class_dropout=0.2 has no effect on a prior"),
        ({"evaluations": {"reconstruction": {}}}, r"does not evaluate a run of config"),
    ],
)
def test_what_does_not_fit_is_an_error_before_any_work(root, tmp_path, fields, message):
    config = _config(root).unlock()
    config.update(fields)
    with pytest.raises(InputError, match=message):
        run.train(config, tmp_path / "run", Console(quiet=True))
    assert not (tmp_path / "run").exists()


def test_the_number_of_classes_is_that_of_the_data(root, tmp_path):
    config = _config(root)
    config.prior.num_classes = 4
    with pytest.raises(InputError, match=r"num_classes=4 but .* have 3 classes"):
        run.train(config, tmp_path / "run", Console(quiet=True))


def test_a_tokenizer_without_codes_has_nothing_to_learn(root, tmp_path):
    trained.write_tokenizer(tmp_path / "tokenizer", root / "images", "none")
    config = _config(root)
    config.tokenizer = str(tmp_path / "tokenizer")
    with pytest.raises(InputError, match=r"the tokenizer has no codes"):
        setup.prepare(config)


def test_a_prior_is_no_tokenizer(root, whole):
    config = _config(root)
    config.tokenizer = str(whole[0])
    with pytest.raises(InputError, match=r"config.task='prior', which trains no auto"):
        setup.prepare(config)


def test_it_goes_on_from_the_model_of_another_run(root, whole, tmp_path):
    config = _config(root, init_from=str(whole[0]), num_steps=2)
    assert f"from the model of {whole[0]}, step 12" in _train(config, tmp_path / "warm")
    rates = [
        {line["step"]: line for line in logged(workdir) if rate in line}
        for rate in ["eval/train/nats_per_token"]
        for workdir in (tmp_path / "warm", whole[0])
    ]
    # It begins with the averages that the other one was evaluated with.
    assert rates[0][0]["eval/train/nats_per_token"] == pytest.approx(
        rates[1][12]["eval/train/nats_per_token"], rel=1e-6
    )


@pytest.mark.parametrize(
    ("tokenizer", "init_from", "message"),
    [
        ("other", "whole", "was made with another tokenizer than that of config"),
        ("tokenizer", "tokenizer", "'autoencoder', which trains no prior"),
    ],
)
def test_it_goes_on_from_no_model_of_other_codes(
    root, whole, tmp_path, tokenizer, init_from, message
):
    config = _config(root, tokenizer, init_from=str(root / init_from))
    with pytest.raises(InputError, match=message):
        run.train(config, tmp_path, Console(quiet=True))


def test_collapsed_codes_raise_an_alarm_and_a_small_batch_does_not(root):
    sign = build_task(_config(root)).signs()["codes_collapsed"]
    assert sign.shows({"train/code_perplexity": 2.0})
    assert not sign.shows({"train/code_perplexity": 30.0})
    # Of 8 x 16 tokens no more than 128 codes can be seen.
    assert not sign.shows({"train/code_perplexity": 4.0})
    alarms = Alarms({"codes_collapsed": sign})
    found = [alarms.check({"train/code_perplexity": 1.0}) for _ in range(5)]
    assert "codes that it learns have collapsed" in found[-1]["codes_collapsed"]


def test_an_evaluation_raises_its_sign_in_the_log(root, tmp_path, monkeypatch):
    from vq_jax.evaluation.likelihood import Likelihood

    monkeypatch.setattr(Likelihood, "_parted", lambda self, metrics: True)
    printed = _train(_config(root), tmp_path / "run")
    assert printed.count("ALARM parted: less than 75% of what it has learnt") == 1
    assert printed.index("ALARM parted") > printed.index("step 12 · train: ")


def test_every_device_count_gives_the_same_run(root):
    found = []
    for devices in (jax.devices(), jax.devices()[:1]):
        made = setup.prepare(_config(root), devices)
        task, shardings = made.task, made.shardings
        state = jax.jit(task.init, out_shardings=shardings)(jax.random.key(0))
        nets = jax.device_put(load(task.nets), sharding.replicated(made.mesh))
        step = jax.jit(task.step)
        with contextlib.closing(task.batches()) as batches:
            for batch in itertools.islice(batches, 3):
                read = {name: batch[name] for name in task.abstract_batch}
                read = sharding.global_batch(read, made.mesh)
                state, metrics = step(state, read, jax.random.key(1), nets)
        found.append(jax.device_get((state, metrics)))
    jax.tree.map(
        lambda x, y: np.testing.assert_allclose(x, y, rtol=2e-4, atol=1e-5), *found
    )
