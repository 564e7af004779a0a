import numpy as np

from vq_jax.evaluation import comparison

RESULTS = [
    {"family": "vq", "bits": 8, "seed": 0, "psnr": 20.0, "ssim": 0.5, "usage": 0.25},
    {"family": "vq", "bits": 8, "seed": 1, "psnr": 22.0, "ssim": 0.7, "usage": 0.75},
    {"family": "none", "bits": 6, "seed": 0, "psnr": 30.0, "ssim": 0.9, "usage": None},
]


def test_the_table_has_means_and_deviations_over_seeds():
    lines = comparison.markdown(RESULTS).splitlines()
    assert lines[0].startswith("| quantizer | codes | PSNR, dB | SSIM | usage |")
    assert lines[2] == "| `none` | continuous | 30.00 | 0.900 | - | - | - |"
    assert lines[3].startswith(
        "| `vq` | 2^8 | 21.00 ± 1.41 | 0.600 ± 0.141 | 0.500 ± 0.354 |"
    )


def test_the_figure_is_a_picture(tmp_path):
    path = comparison.write_figure(tmp_path / "figure.png", RESULTS)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_rows_keep_their_pictures_beside_their_label():
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), np.uint8)
    grid = comparison.labelled_rows({"original": images, "vq": images})
    assert grid.shape == (16, comparison.LABEL_WIDTH + 24, 3)
    pictures = grid[:, comparison.LABEL_WIDTH :]
    np.testing.assert_array_equal(pictures[:8], pictures[8:])
    np.testing.assert_array_equal(pictures[:8, 8:16, 0], images[1, ..., 0])
