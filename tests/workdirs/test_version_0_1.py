"""Runs that version 0.1 left on disk still load, evaluate, start others and go on.

`version_0_1/` has the checkpoints of two smoke runs of two steps, made at commit
3e76b74 on one CPU device, and what that version made of two images with them:

    train.py --config=configs/vqvae_photos.py:smoke, averaged parameters
    train.py --config=configs/vqgan_stability.py:smoke, a narrow discriminator

with 16 codes each.
"""

import io
import json
import pathlib
import zipfile

import jax
import numpy as np
import pytest
from rich.console import Console

from configs import restore_photos, vqgan_stability, vqvae_photos
from vq_jax import Tokenizer
from vq_jax.data.sources import photos
from vq_jax.inference.load import load_workdir
from vq_jax.training import run
from vq_jax.training.tasks.build import build_task
from vq_jax.workdirs import checkpoint, legacy

FOLDER = pathlib.Path(__file__).parent / "version_0_1"
KINDS = {"vqvae": "autoencoder", "vqgan": "adversarial"}


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def workdir(kind, tmp_path):
    with zipfile.ZipFile(FOLDER / f"{kind}.zip") as archive:
        archive.extractall(tmp_path)
    return tmp_path


def _expected(kind):
    with np.load(FOLDER / f"{kind}.npz") as arrays:
        return dict(arrays)


def test_the_tokenizer_gives_the_same_codes_and_images(kind, workdir):
    images = np.stack(
        [
            photos.photograph("chelsea")[100:132, 100:132],
            photos.photograph("astronaut")[60:92, 200:232],
        ]
    )
    tokenizer, expected = Tokenizer.load(workdir), _expected(kind)
    np.testing.assert_array_equal(tokenizer.encode(images), expected["codes"])
    # One level is rounding: these tests compile without optimisations.
    found = tokenizer.reconstruct(images).astype(int)
    assert np.abs(found - expected["recons"]).max() <= 1


def test_evaluate_gives_the_same_numbers(kind, workdir, call):
    code, printed = call("evaluate", f"--workdir={workdir}", "--batch_size=64")
    assert code == 0, printed
    found = json.loads((workdir / "eval" / "test.json").read_text())
    for name, value in json.loads(str(_expected(kind)["report"])).items():
        if isinstance(value, float):
            assert found[name] == pytest.approx(value, rel=1e-3), name
        else:
            assert found[name] == value, name


@pytest.mark.parametrize("experiment", [vqvae_photos, vqgan_stability])
def test_a_new_run_of_either_kind_starts_with_its_model(kind, workdir, experiment):
    config = experiment.get_config("smoke")
    config.model = load_workdir(workdir).config.model
    task = build_task(config)
    state, step = task.init_from_run(jax.jit(task.init)(jax.random.key(0)), workdir)
    assert step == 2
    assert int(state.step) == 0
    expected = load_workdir(workdir).variables
    jax.tree.map(np.testing.assert_array_equal, state.inference_variables(), expected)


def test_the_run_itself_goes_on(kind, workdir):
    config, _ = checkpoint.load_config(workdir)
    assert config.task == KINDS[kind]
    config.num_steps = 11  # the adversarial loss of one acts from step 10
    config.evaluations.reconstruction.max_images = 8
    printed = io.StringIO()
    assert run.train(config, workdir, Console(file=printed, width=200)) == 0
    assert "2 -> 11" in printed.getvalue()


def test_a_configuration_of_today_is_left_as_it_is():
    config = vqgan_stability.get_config().to_dict()
    assert legacy.upgraded(config) == config


def test_a_field_that_a_section_got_since_has_the_value_of_before():
    config = vqgan_stability.get_config().to_dict()
    del config["adversarial"]["lecam_logits"], config["data"]["white_point"]
    found = legacy.upgraded(config)
    assert found["adversarial"]["lecam_logits"] == "each"
    assert found["data"]["white_point"] == 0.0
    del config["data"]["exclude_labels"]
    assert legacy.upgraded(config)["data"]["exclude_labels"] == ()


def test_a_restorer_of_before_its_third_stage_is_one_without():
    config = restore_photos.get_config().to_dict()
    added = {"losses": ("l1",), "restorer": ("fuse_levels", "fuse_blocks")}
    before = {
        section: {k: v for k, v in config[section].items() if k not in fields}
        for section, fields in added.items()
    }
    found = legacy.upgraded({**config, **before})
    assert found == config
    del config["profile"]
    assert legacy.upgraded(config)["profile"] == {"start": 10, "steps": 0}
    alone = vqvae_photos.get_config().to_dict()
    assert legacy.upgraded(alone) == alone
