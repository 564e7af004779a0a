"""Maps of what a prior finds unlikely: exact, for any size, the same for one seed."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from vq_jax import InputError, Sampler
from vq_jax.apps.anomaly import AnomalyDetector
from vq_jax.inference.load_prior import open_prior
from vq_jax.models.priors.base import Prior
from vq_jax.testing import trained
from vq_jax.testing.runs import initialise_run

CASES = ("autoregressive", "maskgit", "next_scale")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("anomaly")
    trained.write_images(root / "images")
    images, tokenizer = root / "images", root / "fsq"
    trained.write_tokenizer(tokenizer, images)
    for case in ("autoregressive", "maskgit"):
        trained.write_prior(root / case, tokenizer, images, case)
    # It has no grid, which is all that is looked at: training would take long.
    trained.write_tokenizer(root / "scales", images, "multi_scale_vq")
    config = trained.prior_config("next_scale", root / "scales", images)
    initialise_run(config, root / "next_scale")
    return root


@pytest.fixture(scope="module")
def samplers(root):
    return {case: Sampler.load(root / case, batch_size=4) for case in CASES}


def _images(count, height, width, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("case", ["autoregressive", "next_scale"])
def test_a_map_adds_up_to_the_likelihood(samplers, case):
    images = _images(3, 16, 16)
    found = AnomalyDetector(samplers[case], threshold=1.0, num_samples=1).detect(images)
    assert found.nats.shape == found.residual.shape == (3, 16, 16)
    log_prob = samplers[case].log_prob(images)
    np.testing.assert_allclose(found.nats.sum(axis=(1, 2)), -log_prob, rtol=1e-5)
    np.testing.assert_allclose(found.nats_per_pixel, -log_prob / 256, rtol=1e-5)


def test_the_threshold_is_a_quantile_of_normal_images_alone(samplers):
    sampler = samplers["autoregressive"]
    normal = [_images(2, 16, 16), _images(1, 20, 16, seed=1)]
    found = AnomalyDetector.calibrated(sampler, normal, quantile=0.75)
    nats = [found.code_nats(images)[1].ravel() for images in normal]
    assert found.threshold == pytest.approx(np.quantile(np.concatenate(nats), 0.75))
    drawn = dataclasses.replace(found, num_samples=1).detect(normal[0]).redrawn
    assert 0 < drawn.mean() < 0.6


@pytest.mark.parametrize("case", ["autoregressive", "maskgit"])
@pytest.mark.parametrize("size", [(16, 16), (29, 22), (13, 11)])
def test_codes_below_the_threshold_stay_and_the_seed_decides(samplers, case, size):
    sampler, images = samplers[case], _images(2, *size)
    detector = AnomalyDetector(sampler, threshold=1.5, num_samples=2, seed=3)
    codes, nats = detector.code_nats(images)
    again = nats > 1.5
    assert 0 < again.mean() < 1
    drawn = detector._redrawn(codes, again)
    kept = np.broadcast_to(~again[:, None], drawn.shape)
    np.testing.assert_array_equal(drawn[kept], codes[:, None].repeat(2, 1)[kept])
    found = detector.detect(images)
    assert found.nats.shape == found.residual.shape == (2, *size)
    alone = detector.detect(images[1:])
    np.testing.assert_array_equal(alone.residual[0], found.residual[1])
    other = dataclasses.replace(detector, seed=4).detect(images)
    assert (other.residual != found.residual).any()
    np.testing.assert_array_equal(other.nats, found.nats)


def test_where_nothing_is_unlikely_the_residual_is_that_of_the_tokenizer(samplers):
    images = _images(1, 16, 16)
    found = AnomalyDetector(samplers["maskgit"], threshold=1e6).detect(images)
    recon = samplers["maskgit"].decode(samplers["maskgit"].tokenizer.encode(images))
    expected = np.abs(recon.astype(float) - images).mean(axis=-1)
    np.testing.assert_allclose(found.residual, expected, rtol=1e-5)
    assert found.redrawn == 0


def test_each_code_of_a_large_image_is_decided_in_one_window(samplers):
    detector = AnomalyDetector(samplers["maskgit"], threshold=1.0)
    owners = np.zeros((7, 9), int)
    for index, owned in detector._windows((7, 9)):
        owners[index] += owned
    np.testing.assert_array_equal(owners, 1)


class _WholePrior(Prior):
    """One that gives the probability of an image and of no code."""

    def log_prob(self, codes, labels):
        return np.zeros(len(codes), np.float32)


def test_what_it_cannot_do_is_one_error(samplers):
    images = _images(1, 24, 16)
    with pytest.raises(InputError, match=r"larger than the 16 px.*no grid"):
        AnomalyDetector(samplers["next_scale"], 1.0).detect(images)
    sampler = object.__new__(Sampler)
    sampler.__dict__ |= samplers["maskgit"].__dict__
    sampler.prior = _WholePrior(samplers["maskgit"].prior.layout)
    with pytest.raises(InputError, match="_WholePrior has no likelihood of single"):
        AnomalyDetector(sampler, 1.0).detect(images)
    with pytest.raises(InputError, match="no normal images"):
        AnomalyDetector.calibrated(samplers["maskgit"], [])
    for fields, text in (
        ({"threshold": -1.0}, "threshold=-1"),
        ({"threshold": float("nan")}, "threshold=nan"),
        ({"threshold": 1.0, "num_samples": 0}, "num=0"),
        ({"threshold": 1.0, "seed": -1}, "seed=-1"),
    ):
        with pytest.raises(InputError, match=text):
            AnomalyDetector(samplers["maskgit"], **fields)


def test_the_command_scores_images_of_any_size_and_mode(call, root, tmp_path):
    (tmp_path / "images").mkdir()
    Image.fromarray(_images(1, 16, 16)[0]).save(tmp_path / "images" / "a.png")
    grey = Image.fromarray(_images(1, 21, 30)[0, ..., 0])
    grey.save(tmp_path / "images" / "b.png")
    (tmp_path / "images" / "broken.png").write_bytes(b"no image")

    def detect(out, *flags):
        return call(
            "detect",
            f"--workdir={root / 'maskgit'}",
            f"--images={tmp_path / 'images'}",
            f"--out={tmp_path / out}",
            "--num=2",
            *flags,
        )

    code, printed = detect("first", "--num_normal=3")
    assert code == 2
    assert "1 of 3 images are left out" in printed
    scores = json.loads((tmp_path / "first" / "scores.json").read_text())
    assert [*scores["images"]] == ["a", "b"]
    assert scores["threshold"] > 0
    assert scores["digest"] == open_prior(root / "maskgit").digest
    place = "the run's split 'train'"
    expected = {"normal": place, "num_normal": 3, "quantile": 0.97}
    assert scores["calibration"] == expected
    same = f"--threshold={scores['threshold']!r}"
    detect("second", same)
    again = json.loads((tmp_path / "second" / "scores.json").read_text())
    assert again == {**scores, "calibration": None}
    for name in ("a.png", "b.png"):
        files = [(tmp_path / out / name).read_bytes() for out in ("first", "second")]
        assert files[0] == files[1]
    with Image.open(tmp_path / "first" / "b.png") as shown:
        assert shown.size == (3 * (30 + 2), 21 + 2)
    for flags, text in (
        (["--quantile=1"], "--quantile=1.0"),
        (["--threshold=-1"], "--threshold=-1.0"),
        (["--num=0"], "--num=0"),
        (["--num_normal=0"], "--num_normal=0"),
        (
            ["--threshold=1", "--quantile=0.9"],
            "error: --quantile finds a threshold, and --threshold=1 is one",
        ),
        ([f"--normal={tmp_path / 'none'}"], "none"),
        ([f"--workdir={root / 'fsq'}"], "trains no prior"),
    ):
        code, printed = detect("third", *flags)
        assert code == 2
        assert text in printed
    assert not [*(tmp_path / "third").glob("*")]


def test_the_command_leaves_out_broken_normal_images(call, root, tmp_path):
    (tmp_path / "normal").mkdir()
    for name, image in zip("bcd", _images(3, 16, 16), strict=True):
        Image.fromarray(image).save(tmp_path / "normal" / f"{name}.png")
    (tmp_path / "normal" / "a.png").write_bytes(b"no image")
    code, printed = call(
        "detect",
        f"--workdir={root / 'maskgit'}",
        f"--images={tmp_path / 'normal' / 'b.png'}",
        f"--normal={tmp_path / 'normal'}",
        f"--out={tmp_path / 'out'}",
        "--num=1",
        "--num_normal=2",
    )
    assert code == 2
    assert "left out a of --normal: " in printed
    assert printed.endswith(
        "error: --normal: 1 of 3 images are left out, as said above: a.\n"
    )
    scores = json.loads((tmp_path / "out" / "scores.json").read_text())
    assert [*scores["images"]] == ["b"]
    assert scores["calibration"] == {
        "normal": str(tmp_path / "normal"),
        "num_normal": 2,
        "quantile": 0.97,
    }
