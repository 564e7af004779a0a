"""Holes that samples fill: nothing leaks out of them, and nothing changes around."""

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from configs import restore_photos
from vq_jax import InputError, Sampler
from vq_jax.apps.inpainting import Inpainter, RestoringInpainter
from vq_jax.apps.redrawing import plan_windows
from vq_jax.apps.restore import ImageRestorer
from vq_jax.metrics import holes
from vq_jax.metrics.ssim import ssim
from vq_jax.ops import hole_fill
from vq_jax.testing import trained
from vq_jax.testing.runs import initialise_run


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("inpainting")
    trained.write_images(root / "images")
    trained.write_tokenizer(root / "tokenizer", root / "images")
    for case in ("maskgit", "autoregressive"):
        trained.write_prior(root / case, root / "tokenizer", root / "images", case)
    return root


@pytest.fixture(scope="module")
def sampler(root):
    return Sampler.load(root / "maskgit", batch_size=2)


def _image(height, width, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


def _hole(height, width):
    hole = np.zeros((height, width), bool)
    hole[5:12, 3 : width - 4] = True
    return hole


@pytest.mark.parametrize(
    ("size", "feather"),
    [
        ((16, 16), None),
        ((29, 38), None),
        ((13, 11), None),
        ((16, 16), 3),
        ((29, 38), 0),
    ],
)
def test_what_stood_in_the_hole_changes_nothing(sampler, size, feather):
    inpainter, hole = Inpainter(sampler, dilation=0, feather=feather), _hole(*size)
    image = _image(*size)
    other = np.where(hole[..., None], _image(*size, seed=1), image)
    found = [inpainter.inpaint(each, hole, count=2, seed=5) for each in (image, other)]
    np.testing.assert_array_equal(*found)
    assert (found[0][0] != found[0][1]).any()  # samples differ
    far = hole_fill.ndimage.distance_transform_edt(~hole) >= 1 + (feather or 0)
    np.testing.assert_array_equal(found[0][:, far], image[None, far].repeat(2, 0))
    again = inpainter.inpaint(image, hole, count=2, seed=6)
    assert (again != found[0]).any()


def test_codes_far_from_the_hole_are_kept_and_windows_cover_the_rest(sampler):
    inpainter, hole = Inpainter(sampler, dilation=1), np.zeros((24, 40), bool)
    hole[9, 21] = True  # pixel of code (2, 5)
    _, meets = inpainter._prepared(_image(24, 40), hole)
    expected = np.zeros((6, 10), bool)
    expected[1:4, 4:7] = True
    np.testing.assert_array_equal(meets, expected)
    drawn = np.zeros_like(meets, int)
    for place, known in plan_windows(meets[None], sampler.prior):
        assert known.shape == (1, 4, 4)
        drawn[place] += ~known[0]
    np.testing.assert_array_equal(drawn, expected)


def test_a_raster_prior_completes_what_follows_and_nothing_else(root):
    inpainter = Inpainter(Sampler.load(root / "autoregressive"), dilation=0)
    below = np.zeros((16, 16), bool)
    below[8:] = True
    found = inpainter.inpaint(_image(16, 16), below)
    assert found.shape == (1, 16, 16, 3)
    with pytest.raises(InputError, match=r"mask has gaps.* as MaskGIT"):
        inpainter.inpaint(_image(16, 16), _hole(16, 16))


def test_a_fill_is_smooth_and_keeps_known_pixels():
    rows, columns = np.mgrid[:33, :40]
    image = np.stack([4 * rows, 3 * columns, rows + columns], -1).astype(np.uint8)
    hole = np.zeros((33, 40), bool)
    hole[12:20, 15:26] = True
    found = hole_fill.pull_push(image, hole)
    np.testing.assert_array_equal(found[~hole], image[~hole])
    # A plane, as far as averages of what is known can tell.
    assert np.abs(found.astype(int) - image)[hole].max() < 20
    assert (hole_fill.pull_push(image, np.ones_like(hole)) == 128).all()
    flat = np.where(hole[..., None], image, np.uint8(77))
    assert (hole_fill.pull_push(flat, hole) == 77).all()


def test_a_membrane_is_the_mean_of_its_neighbours():
    rows, columns = np.mgrid[:33, :40]
    plane = np.stack([4 * rows, 3 * columns, rows + columns], -1).astype(np.uint8)
    hole = np.zeros((33, 40), bool)
    hole[12:33, 15:26] = True  # it meets the edge of the image
    found = hole_fill.harmonic(plane, hole).astype(float)
    np.testing.assert_array_equal(found[~hole], plane[~hole])
    padded = np.pad(found, ((1, 1), (1, 1), (0, 0)), constant_values=np.nan)
    neighbours = [
        padded[2:, 1:-1],
        padded[:-2, 1:-1],
        padded[1:-1, 2:],
        padded[1:-1, :-2],
    ]
    mean = np.nanmean(neighbours, axis=0)
    assert np.abs(found - mean)[hole].max() <= 1.0
    inner = np.zeros_like(hole)
    inner[12:20, 15:26] = True
    found = hole_fill.harmonic(plane, inner).astype(int)
    assert np.abs(found - plane)[inner].max() <= 1
    assert (hole_fill.harmonic(plane, np.ones_like(hole)) == 128).all()
    np.testing.assert_array_equal(hole_fill.harmonic(plane, hole & False), plane)


def test_a_seamless_paste_keeps_known_pixels_and_gradients_of_what_was_painted():
    rng = np.random.default_rng(0)
    image = rng.integers(100, 156, (20, 23, 3), dtype=np.uint8)
    painted = rng.integers(60, 90, (20, 23, 3), dtype=np.uint8)
    hole = np.zeros((20, 23), bool)
    hole[4:20, 6:15] = True  # it meets the edge of the image
    found = hole_fill.seamless(image, painted, hole)
    np.testing.assert_array_equal(found[~hole], image[~hole])

    def laplacian(pixels):  # by the definition; the image goes on as its edge
        padded = np.pad(pixels.astype(float), ((1, 1), (1, 1), (0, 0)), mode="edge")
        around = padded[2:, 1:-1] + padded[:-2, 1:-1] + padded[1:-1, 2:]
        return around + padded[1:-1, :-2] - 4 * pixels.astype(float)

    apart = laplacian(found) - laplacian(painted)
    # The equation holds but for rounding: 4 neighbours and 4 times the pixel.
    assert np.abs(apart[hole]).max() <= 4.01
    # Colours that are off by as much everywhere are put right.
    shifted = hole_fill.seamless(image, image + np.uint8(9), hole)
    np.testing.assert_array_equal(shifted, image)
    everything = np.ones_like(hole)
    np.testing.assert_array_equal(
        hole_fill.seamless(image, painted, everything), painted
    )
    np.testing.assert_array_equal(
        hole_fill.seamless(image, painted, ~everything), image
    )


def test_a_feather_fades_by_distance():
    image, painted = np.zeros((1, 9, 1), np.uint8), np.full((1, 9, 1), 100, np.uint8)
    hole = np.zeros((1, 9), bool)
    hole[0, 0] = True
    found = hole_fill.pasted(image, painted, hole, 3)[0, :, 0]
    np.testing.assert_array_equal(found, [100, 75, 50, 25, 0, 0, 0, 0, 0])
    found = hole_fill.pasted(image, painted, hole, 0)[0, :, 0]
    np.testing.assert_array_equal(found, [100] + [0] * 8)


def test_numbers_of_a_hole_are_those_of_their_definitions():
    image = np.zeros((4, 4, 1), np.uint8)
    hole = np.zeros((4, 4), bool)
    hole[1:3, 1:3] = True
    found = np.where(hole[..., None], np.uint8(51), image)
    assert abs(holes.hole_psnr(found, image, hole) - 20 * np.log10(5)) < 1e-9
    assert holes.seam_error(found, hole) == 51
    assert holes.seam_error(image, hole) == 0
    assert holes.seam_error(image, ~(hole & False)) == 0


def test_ssim_of_a_hole_is_that_of_the_windows_around_its_pixels():
    image, found = _image(21, 24), _image(21, 24, seed=1)
    hole = np.zeros((21, 24), bool)
    assert np.isnan(holes.hole_ssim(found[None], image, hole)).all()
    hole[8, 9] = True
    one = holes.hole_ssim(np.stack([found, image]), image, hole)
    pair = [jnp.asarray(x)[None] for x in (found, image)]
    around = ssim(*(x[:, 3:14, 4:15] for x in pair))
    np.testing.assert_allclose(one, [float(around[0]), 1.0], atol=1e-5)
    everything = np.ones_like(hole)
    whole = holes.hole_ssim(found[None], image, everything)
    np.testing.assert_allclose(whole, ssim(*pair), atol=1e-5)


def test_the_command_takes_files_and_colours(call, root, tmp_path):
    image, hole = _image(21, 18), _hole(21, 18)
    Image.fromarray(image).save(tmp_path / "image.png")
    Image.fromarray(hole.astype(np.uint8) * 255).save(tmp_path / "mask.png")
    marked = np.where(hole[..., None], np.array([255, 0, 255], np.uint8), image)
    Image.fromarray(marked).save(tmp_path / "marked.png")

    def inpaint(image, mask, out, *flags):
        return call(
            "inpaint",
            f"--workdir={root / 'maskgit'}",
            f"--image={tmp_path / image}",
            f"--mask={mask}",
            f"--out={tmp_path / out}",
            "--num=2",
            *flags,
        )

    code, printed = inpaint("image.png", tmp_path / "mask.png", "a")
    assert code == 0, printed
    code, printed = inpaint("marked.png", "#ff00ff", "b", "--temperature=1.0")
    assert code == 0, printed
    for name in ("0.png", "1.png"):
        files = [(tmp_path / out / name).read_bytes() for out in "ab"]
        assert files[0] == files[1]
    for flags, text in (
        (("image.png", "#ff00f", "c"), "--mask=#ff00f is no colour"),
        (("image.png", "#123456", "c"), "--mask has no hole"),
        (("marked.png", "#ff00ff", "c", "--temperature=-1"), "--temperature=-1"),
        (("image.png", tmp_path / "mask.png", "c", "--feather=-1"), "--feather=-1"),
    ):
        code, printed = inpaint(*flags)
        assert code == 2
        assert text in printed


@pytest.fixture(scope="module")
def restorers(root):
    """Workdirs of restorers that have not trained, by what they would learn."""
    found = {}
    for damage in ("holes", "denoise"):
        config = restore_photos.get_config(f"{damage},fused,smoke")
        config.tokenizer = str(root / "tokenizer")
        source = f"folder:{root / 'images'}"
        config.data.update(source=source, eval_split="train", image_size=16)
        initialise_run(config, root / damage)
        found[damage] = root / damage
    return found


def test_what_fills_a_hole_is_shifted_to_meet_its_border_by_default(restorers):
    restorer = ImageRestorer.load(restorers["holes"])
    image, hole = _image(29, 38), _hole(29, 38)
    found = RestoringInpainter(restorer).inpaint(image, hole)
    painted = restorer(hole_fill.harmonic(image, hole), fidelity=0.0)
    expected = hole_fill.seamless(image, painted, hole)
    np.testing.assert_array_equal(found, expected)
    hard = RestoringInpainter(restorer, feather=0).inpaint(image, hole)
    np.testing.assert_array_equal(hard[hole], painted[hole])
    assert (found[hole] != hard[hole]).any()


@pytest.mark.parametrize("feather", [None, 3])
def test_a_restorer_fills_in_one_way_and_nothing_leaks(restorers, feather):
    inpainter = RestoringInpainter(ImageRestorer.load(restorers["holes"]), feather)
    image, hole = _image(29, 38), _hole(29, 38)
    other = np.where(hole[..., None], _image(29, 38, seed=1), image)
    found = [inpainter.inpaint(each, hole) for each in (image, other)]
    np.testing.assert_array_equal(*found)
    far = hole_fill.ndimage.distance_transform_edt(~hole) >= 1 + (feather or 0)
    np.testing.assert_array_equal(found[0][far], image[far])
    assert (found[0][hole] != image[hole]).any()


def test_a_restorer_of_something_else_is_refused(restorers):
    with pytest.raises(
        InputError, match=r"has learnt config.degradation.train='denoise"
    ):
        RestoringInpainter(ImageRestorer.load(restorers["denoise"]))


def test_the_command_takes_a_restorer_and_no_flags_of_priors(call, restorers, tmp_path):
    image, hole = _image(21, 18), _hole(21, 18)
    Image.fromarray(image).save(tmp_path / "image.png")
    Image.fromarray(hole.astype(np.uint8) * 255).save(tmp_path / "mask.png")
    words = (
        "inpaint",
        f"--workdir={restorers['holes']}",
        f"--image={tmp_path / 'image.png'}",
        f"--mask={tmp_path / 'mask.png'}",
        f"--out={tmp_path / 'out'}",
    )
    code, printed = call(*words, "--num=2")
    assert code == 2
    assert "--num is for a prior, and" in printed
    assert not (tmp_path / "out").exists()
    code, printed = call(*words, "--fidelity=0.5")
    assert code == 0, printed
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["0.png", "together.png"]
