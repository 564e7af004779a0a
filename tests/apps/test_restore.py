"""Images of any size through a restorer: windows, sizes, fidelity, errors."""

import jax
import numpy as np
import pytest
from rich.console import Console

from configs.parts.restoration import restoration_defaults
from vq_jax import InputError
from vq_jax.apps.restore import ImageRestorer
from vq_jax.apps.windows import windows
from vq_jax.data.degradations.degradation import enlarge
from vq_jax.inference.load_restorer import open_restorer
from vq_jax.inference.restoration import restore
from vq_jax.testing import tiny, trained
from vq_jax.training import run


@pytest.fixture(scope="module")
def workdir(tmp_path_factory):
    """The workdir of a restorer for x2 super-resolution, on windows of 4 x 4 codes."""
    root = tmp_path_factory.mktemp("restorer")
    trained.write_images(root / "images")
    trained.write_tokenizer(root / "tokenizer", root / "images")
    config = restoration_defaults()
    config.tokenizer, config.num_steps, config.batch_size = (
        str(root / "tokenizer"),
        2,
        8,
    )
    images = root / "images"
    config.data.update(source=f"folder:{images}", eval_split="train", image_size=16)
    config.degradation.update(train="super_resolution_x2", eval="bicubic_x2")
    config.restorer.update(num_layers=1, hidden_dim=16, num_heads=2, mlp_dim=16)
    config.evaluations = {}
    assert run.train(config, root / "run", Console(quiet=True)) == 0
    return root / "run"


@pytest.fixture(scope="module")
def restorer(workdir):
    return ImageRestorer.load(workdir)


@pytest.mark.parametrize("length", [4, 5, 6, 7, 13, 64])
@pytest.mark.parametrize("side", [1, 3, 4])
def test_windows_cover_an_axis_and_overlap_by_half(length, side):
    starts, owners = windows(length, side)
    assert (starts[0], starts[-1]) == (0, length - side)
    assert (np.diff(starts) <= max(1, side // 2)).all()
    inside = np.arange(length) - starts[owners]
    assert ((inside >= 0) & (inside < side)).all()
    # In the middle of an axis none is in the outer quarter of its window.
    margin = side // 4
    middle = slice(side, length - side)
    assert (inside[middle] >= margin).all()
    assert (inside[middle] <= side - 1 - margin).all()


def test_an_image_of_the_training_size_is_as_in_evaluation(restorer, workdir):
    small = tiny.images(1, size=8)[0]
    saved = open_restorer(workdir)
    for fidelity in (0.0, 0.4):
        wanted = jax.jit(restore, static_argnums=0)(
            saved.models,
            {"params": saved.params},
            saved.tokenizer.load(),
            enlarge(small, 2)[None],
            fidelity,
        )[0]
        found = restorer(small, fidelity=fidelity)
        np.testing.assert_allclose(found.astype(int), wanted, atol=1)


@pytest.mark.parametrize("size", [(3, 5), (8, 8), (13, 22)])
def test_an_output_is_twice_as_large_whatever_the_size(restorer, size):
    image = tiny.images(1, size=24)[0][: size[0], : size[1]]
    assert restorer(image).shape == (2 * size[0], 2 * size[1], 3)


def test_each_code_is_that_of_the_window_with_the_nearest_middle(restorer):
    rng = np.random.default_rng(0)
    z_e = rng.normal(size=(1, 7, 9, 4)).astype(np.float32)
    found = restorer._predict(z_e)
    (tops, rows), (lefts, columns) = windows(7, 4), windows(9, 4)
    for y, x in ((0, 0), (3, 4), (6, 8), (2, 7)):
        top, left = tops[rows[y]], lefts[columns[x]]
        window = z_e[:, top : top + 4, left : left + 4]
        (wanted,) = restorer._predict(window)
        assert found[0, y, x] == wanted[y - top, x - left]


def test_fidelity_mixes_the_codes_with_the_features(restorer):
    image = tiny.images(1, size=8)[0]
    at = [restorer(image, fidelity=w).astype(int) for w in (0.0, 0.5, 1.0)]
    far = np.abs(at[2] - at[0]).mean()
    assert 0.0 < np.abs(at[1] - at[0]).mean() < far


@pytest.mark.parametrize(
    ("image", "fidelity", "message"),
    [
        (np.zeros((8, 8, 1), np.uint8), 0.0, r"is uint8 \(8, 8, 1\); give .* w, 3\]"),
        (np.zeros((8, 8, 3), np.float32), 0.0, "the image is float32"),
        (np.zeros((8, 8, 3), np.uint8), 1.5, r"fidelity=1.5 must be in \[0.0, 1.0\]"),
    ],
)
def test_errors(workdir, image, fidelity, message):
    # Types are checked in tests before the function itself can.
    restorer = ImageRestorer.load(workdir)
    call = getattr(ImageRestorer.__call__, "__wrapped__", ImageRestorer.__call__)
    with pytest.raises(InputError, match=message):
        call(restorer, image, fidelity=fidelity)
