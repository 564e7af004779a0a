import pickle

import numpy as np
import pytest

from vq_jax.errors import InputError
from vq_jax.pretrained import cache, lpips, torch_file
from vq_jax.testing.goldens import FOLDER, named_weight


@pytest.mark.parametrize("kind", ["zip", "legacy"])
def test_both_formats_give_the_tensors(kind):
    content = (FOLDER / f"torch_{kind}.pth").read_bytes()
    found = torch_file.read(content, "it")["state"]
    whole = named_weight("whole", (4, 6))
    expected = {
        "whole": whole,
        "part": whole[1:3, ::2],
        "turned": whole.T,
        "parameter": named_weight("p", (3,)),
        "half": named_weight("h", (2, 2)).astype(np.float16),
        "number": np.int64(7),
        "empty": np.zeros((0, 3), np.float32),
    }
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


class _Command:
    def __reduce__(self):
        import os

        return os.system, ("exit 1",)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no pickle",
        pickle.dumps(torch_file.MAGIC + 1),
        pickle.dumps(_Command()),
        (FOLDER / "torch_legacy.pth").read_bytes()[:-40],
        (FOLDER / "torch_zip.pth").read_bytes()[:-40],
    ],
    ids=["empty", "text", "another number", "code", "cut legacy", "cut zip"],
)
def test_anything_else_is_refused(content):
    with pytest.raises(InputError, match="it is no file of PyTorch tensors"):
        torch_file.read(content, "it")


def _torch_names(net):
    """The real weights, under PyTorch's names and in its layout."""
    params = lpips.load_lpips(net)
    trunk, heads = {}, {}
    for i, (_, conv) in enumerate(
        sorted(params["trunk"].items(), key=lambda item: int(item[0].split("_")[1]))
    ):
        # Only the order of the layers' numbers counts.
        trunk[f"features.{3 * i}.weight"] = conv["kernel"].transpose(3, 2, 0, 1)
        trunk[f"features.{3 * i}.bias"] = conv["bias"]
    trunk["classifier.1.weight"] = np.zeros((2, 2), np.float32)
    for i in range(5):
        heads[f"lin{i}.model.1.weight"] = params[f"head_{i}"].reshape(1, -1, 1, 1)
    return trunk, heads


def test_pytorchs_weights_of_lpips_are_those_of_the_package():
    flat = lpips.convert_torch("alexnet", *_torch_names("alexnet"))
    assert cache.digest(flat) == lpips.ARRAYS["alexnet"]


def test_other_weights_that_fit_are_refused(tmp_path, monkeypatch):
    trunk, heads = _torch_names("alexnet")
    trunk["features.0.bias"] = trunk["features.0.bias"] + 1
    monkeypatch.setattr(torch_file, "read", lambda content, where: trees.pop(0))
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    path = tmp_path / "file.pth"
    path.write_bytes(b"")
    trees = [trunk, heads]
    with pytest.raises(InputError, match="distances would not compare"):
        lpips.install_torch("alexnet", path, path)
    trees = list(_torch_names("alexnet"))
    written = lpips.install_torch("alexnet", path, path)
    assert written == tmp_path / "cache" / "lpips_alexnet.safetensors"
