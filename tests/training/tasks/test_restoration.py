"""Runs of a restorer: what learns and what stays, resumption, evaluation, errors."""

import contextlib
import io
import json
import shutil

import jax
import numpy as np
import pytest
from rich.console import Console

from configs.parts.restoration import restoration_defaults
from vq_jax import InputError, sharding
from vq_jax.inference.load_restorer import open_degradations, open_restorer
from vq_jax.inference.restoration import restore
from vq_jax.pretrained.nets import load
from vq_jax.testing import trained
from vq_jax.testing.runs import logged
from vq_jax.training import run, setup


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder with images and two tokenizers, "tokenizer" and "other"."""
    root = tmp_path_factory.mktemp("restorers")
    trained.write_images(root / "images")
    trained.write_tokenizer(root / "tokenizer", root / "images")
    trained.write_tokenizer(root / "other", root / "images", seed=1)
    return root


def _config(root, tokenizer="tokenizer", **fields):
    config = restoration_defaults()
    config.tokenizer = str(root / tokenizer)
    config.num_steps, config.batch_size, config.log_every = 8, 8, 2
    config.checkpoint.every, config.ema_decay = 4, 0.9
    images = root / "images"
    config.data.update(source=f"folder:{images}", eval_split="train", image_size=16)
    config.restorer.update(num_layers=1, hidden_dim=16, num_heads=2, mlp_dim=16)
    config.optim.learning_rate = 1e-2
    config.evaluations.restoration.update(every=4, batch_size=8)
    config.evaluations.restored_pictures.every = 8
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
    assert "4x4 codes of 480; uniform: 6.174 nats a token" in printed
    assert "degraded by denoise, for evaluation by noise_50" in printed
    last = [line for line in logged(workdir) if "eval/train/psnr" in line][-1]
    assert last["step"] == 8
    assert last["eval/train/num_images"] == 30
    assert (workdir / "images" / "restorations_0000008.png").exists()


def test_it_resumes_bit_for_bit_with_a_tokenizer_that_has_moved(root, whole, tmp_path):
    _train(_config(root, num_steps=4), tmp_path / "parts")
    shutil.copytree(root / "tokenizer", tmp_path / "moved")
    again = _config(root, tokenizer=str(tmp_path / "moved"))
    assert "4 -> 8" in _train(again, tmp_path / "parts")
    found, wanted = (
        [line for line in logged(workdir) if "train/loss" in line]
        for workdir in (tmp_path / "parts", whole[0])
    )
    assert found == wanted


def test_a_checkpoint_has_the_encoder_and_no_decoder(whole):
    saved = whole[0] / "checkpoints" / "8" / "state" / "_METADATA"
    names = json.loads(saved.read_text())["tree_metadata"]
    assert [name for name in names if "encoder" in name]
    assert not [name for name in names if "decoder" in name or "quantizer" in name]


def test_it_begins_with_the_encoder_of_the_tokenizer_and_trains_all_of_its_own(root):
    made = setup.prepare(_config(root), jax.devices()[:1])
    task = made.task
    fresh = jax.jit(task.init)(jax.random.key(0))
    state = jax.jit(task.init_from_data)(fresh, {}, jax.random.key(0))
    saved = task.tokenizer.load()["params"]
    for name in ("encoder", "head"):
        jax.tree.map(
            np.testing.assert_array_equal, state.params[name], dict(saved[name])
        )
    nets = jax.device_get(load(task.nets))
    with contextlib.closing(task.batches()) as batches:
        batch = next(batches)
    read = sharding.global_batch({k: batch[k] for k in task.abstract_batch}, made.mesh)
    after, metrics = state, {}
    # The linear map before the distances is 0 at first, and stops the first gradient.
    for _ in range(2):
        after, metrics = jax.jit(task.step)(after, read, jax.random.key(1), nets)
    moved = jax.tree.map(
        lambda x, y: not np.array_equal(x, y), state.params, after.params
    )
    still = [
        jax.tree_util.keystr(path)
        for path, has in jax.tree_util.tree_leaves_with_path(moved)
        if not has
    ]
    # Softmax over keys takes no notice of what is added to all of them.
    assert [name for name in still if "'key'" not in name] == []
    assert metrics["train/grad_norm"] > 0.0
    jax.tree.map(np.testing.assert_array_equal, nets, jax.device_get(load(task.nets)))


def test_it_goes_on_from_the_model_of_another_run(root, whole, tmp_path):
    config = _config(root, init_from=str(whole[0]), num_steps=1)
    assert f"from the model of {whole[0]}, step 8" in _train(config, tmp_path / "warm")
    found = [line for line in logged(tmp_path / "warm") if "eval/train/l2" in line]
    wanted = [line for line in logged(whole[0]) if "eval/train/l2" in line]
    assert found[0]["eval/train/l2"] == pytest.approx(wanted[-1]["eval/train/l2"])


def _fused(root, **fields):
    """The third stage, without LPIPS, whose network takes larger images."""
    config = _config(root, num_steps=2, evaluations={}, **fields)
    config.restorer.fuse_levels, config.losses.l1 = (1,), 1.0
    return config


def test_the_third_stage_begins_with_the_second(root, whole, tmp_path):
    """Its fusions are 0, and all else is as the other run left it."""
    config = _fused(root, init_from=str(whole[0]))
    task = setup.prepare(config, jax.devices()[:1]).task
    fresh = jax.jit(task.init)(jax.random.key(0))
    state, step = task.init_from_run(fresh, config.init_from)
    assert step == 8
    for tree in (state.params, state.ema_params):
        last = tree["fusion"]["level_1"]["last"]["kernel"]
        np.testing.assert_array_equal(last, np.zeros_like(last))
    others = {k: v for k, v in state.ema_params.items() if k != "fusion"}
    saved = dict(open_restorer(whole[0]).params)
    jax.tree.map(np.testing.assert_array_equal, others, saved)


def test_fusions_learn_from_restored_images_and_are_left_out_at_fidelity_0(root):
    made = setup.prepare(_fused(root), jax.devices()[:1])
    task, models = made.task, made.task.models
    fresh = jax.jit(task.init)(jax.random.key(0))
    nets = jax.device_get(load(task.nets))
    with contextlib.closing(task.batches()) as batches:
        batch = next(batches)
    read = sharding.global_batch({k: batch[k] for k in task.abstract_batch}, made.mesh)
    state, metrics = fresh, {}
    for _ in range(2):  # the last convolution is 0 at first, and stops one gradient
        state, metrics = jax.jit(task.step)(state, read, jax.random.key(1), nets)
    assert metrics["train/l1"] > 0.0
    for old, new in zip(
        jax.tree.leaves(fresh.params["fusion"]),
        jax.tree.leaves(state.params["fusion"]),
        strict=True,
    ):
        assert not np.array_equal(old, new)
    degraded = np.asarray(batch["degraded"][:2])

    def restored(fidelity, fusion):
        params = {**state.params, "fusion": fusion["fusion"]}
        found = jax.jit(restore, static_argnums=0)(
            models, {"params": params}, nets["tokenizer"], degraded, fidelity
        )
        return np.asarray(found)

    one = restored(0.0, state.params)
    large = jax.tree.map(lambda x: 50.0 * x, state.params)
    np.testing.assert_array_equal(one, restored(0.0, large))
    assert (one != restored(1.0, large)).any()


def test_another_tokenizer_is_refused(root, whole):
    with pytest.raises(InputError, match="was made with another tokenizer"):
        _train(_config(root, "other", num_steps=9), whole[0])
    with pytest.raises(InputError, match="was made with another tokenizer"):
        open_restorer(whole[0], root / "other")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tokenizer": ""}, r"config.tokenizer is empty; name the workdir"),
        ({"data": {"channels": 1}}, r"config.data.channels=1 but the tokenizer"),
        ({"data": {"image_size": 18}}, r"18x18 is not a multiple of the stride 4"),
        ({"degradation": {"train": "fog"}}, r"degradation.train='fog' is unknown"),
        (
            {"degradation": {"eval": "bicubic_x4"}},
            r"train='denoise' has scale 1 but .*eval='bicubic_x4' has 4",
        ),
        ({"restorer": {"num_heads": 3}}, r"restorer.num_heads=3 must divide .*=16"),
        ({"restorer": {"code_head": "tied"}}, r"code_head='tied' is unknown"),
        ({"losses": {"cross_entropy": 0.0}}, r"cross_entropy=0.0 would train no tr"),
        ({"losses": {"l1": 1.0}}, r"losses.l1 and perceptual compare restored images"),
        (
            {"restorer": {"fuse_levels": (1,)}},
            r"fuse_levels=\(1,\) learn from restored",
        ),
        (
            {"restorer": {"fuse_levels": (2,)}, "losses": {"l1": 1.0}},
            r"fuse_levels=\(2,\) must be of the resolution levels .*: \(1,\); level n",
        ),
        ({"evaluations": {"reconstruction": {}}}, r"does not evaluate a run of config"),
    ],
)
def test_what_does_not_fit_is_an_error_before_any_work(root, tmp_path, fields, message):
    config = _config(root).unlock()
    config.update(fields)
    with pytest.raises(InputError, match=message):
        run.train(config, tmp_path / "run", Console(quiet=True))
    assert not (tmp_path / "run").exists()


def test_a_quantizer_with_several_codes_a_position_is_named(root, tmp_path):
    trained.write_tokenizer(tmp_path / "tokenizer", root / "images", "residual")
    with pytest.raises(InputError, match="ResidualQuantizer has several codes"):
        setup.prepare(_config(root, tokenizer=str(tmp_path / "tokenizer")))


def test_a_size_has_to_divide_by_the_scale(root):
    config = _config(root)
    config.degradation.update(train="super_resolution_x4", eval="bicubic_x4")
    config.data.image_size = 18
    with pytest.raises(InputError, match=r"image_size=18 does not divide by the scale"):
        open_degradations(config)


def test_a_tokenizer_is_no_restorer(root):
    with pytest.raises(InputError, match=r"'autoencoder', which trains no restorer"):
        open_restorer(root / "tokenizer")
