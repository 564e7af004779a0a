import contextlib
import errno
import os
import socket

import pytest
from etils import epath
from PIL import Image

from vq_jax.data import decode
from vq_jax.errors import InputError


def test_what_is_no_file_is_named_and_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "device.png").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(tmp_path):
        server.bind("socket.png")
    for kind in ("pipe", "folder", "device", "socket"):
        with pytest.raises(InputError, match=rf"{kind}\.png is a {kind}; give a file"):
            decode.decode_image(tmp_path / f"{kind}.png", channels=3)


def test_a_file_too_large_for_any_image_is_not_read(tmp_path):
    with (tmp_path / "x.png").open("wb") as file:
        file.truncate(2**31 + 1)  # a hole, which takes no room on the disk
    with pytest.raises(InputError, match=r"x\.png has 2147483649 bytes, more than"):
        decode.decode_image(tmp_path / "x.png", channels=3)


def test_errors_of_the_disk_are_input_errors(tmp_path, monkeypatch):
    path = tmp_path / "x.png"
    Image.new("L", (2, 2)).save(path)

    def stale(self):
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(type(epath.Path(path)), "read_bytes", stale)
    with pytest.raises(InputError, match=r"x\.png can't be read \(Stale file handle"):
        decode.decode_image(path, channels=3)
