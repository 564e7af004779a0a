"""Shards are whole or not there, whoever writes them and whenever he is stopped."""

import re
import threading
import tracemalloc

import numpy as np
import pytest
from etils import epath

from vq_jax.data import code_writer
from vq_jax.data.codes import CodeSource
from vq_jax.errors import InputError
from vq_jax.testing.codes import files, numbered, write, writer

PATH = type(epath.Path("."))
# All that a writer does to files.
OPERATIONS = (
    "mkdir",
    "open",
    "write_bytes",
    "write_text",
    "rename",
    "replace",
    "unlink",
)


class Killed(BaseException):
    """As SIGKILL: nothing that a program does about errors is done."""


@pytest.fixture
def kill_at(monkeypatch):
    """`kill_at(n)`: the n-th operation on files is not done, nor any that follows."""

    def armed(countdown):
        def wrap(operation):
            def stopped(*args, **kwargs):
                nonlocal countdown
                countdown -= 1
                if countdown < 0:
                    raise Killed
                return operation(*args, **kwargs)

            return stopped

        for name in OPERATIONS:
            monkeypatch.setattr(PATH, name, wrap(getattr(PATH, name)))

    return armed


def test_killed_at_any_moment_it_goes_on_to_the_same_files(
    tmp_path, kill_at, monkeypatch
):
    images = numbered(5)
    write(tmp_path / "whole", images)
    wanted, moment = files(tmp_path / "whole"), 0
    while True:
        folder = tmp_path / str(moment)
        kill_at(moment)
        try:
            write(folder, images)
        except Killed:
            monkeypatch.undo()
            if (folder / "codes.json").exists():
                assert len(CodeSource(folder)) == 5
        else:
            break
        write(folder, images)
        assert files(folder) == wanted, moment
        moment += 1
    assert moment > 15


def test_what_is_written_is_not_written_again(tmp_path):
    images = numbered(5)
    first = writer(tmp_path, 5)
    assert first.missing() == [0, 1, 2]
    first.write(1, images[2:4])
    again = writer(tmp_path, 5)
    assert again.missing() == [0, 2]
    assert [*again.records(2)] == [4]


def test_a_finished_folder_is_not_touched(tmp_path):
    write(tmp_path, numbered(5))
    times = {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")}
    assert writer(tmp_path, 5).missing() == []
    assert {file: file.stat().st_mtime_ns for file in tmp_path.rglob("*")} == times


@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_a_damaged_shard_is_written_again(tmp_path, harm):
    write(tmp_path, numbered(5))
    wanted = files(tmp_path)
    broken = tmp_path / "shard-00001" / "codes.npy"
    broken.write_bytes(broken.read_bytes()[:-1]) if harm == "cut" else broken.unlink()
    assert writer(tmp_path, 5).missing() == [1]
    write(tmp_path, numbered(5))
    assert files(tmp_path) == wanted


def test_processes_write_the_files_of_one(tmp_path):
    images = numbered(9)
    write(tmp_path / "one", images)

    def run(index):
        made = writer(tmp_path / "three", 9, process=(index, 3))
        for number in made.missing():
            rows = made.records(number)
            made.write(number, images[rows.start : rows.stop])
        made.finish()
        assert (tmp_path / "three" / "codes.json").exists()

    threads = [threading.Thread(target=run, args=(index,)) for index in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert files(tmp_path / "three") == files(tmp_path / "one")


def test_shards_are_dealt_out(tmp_path):
    shares = [writer(tmp_path, 9, process=(index, 2)).missing() for index in range(2)]
    assert shares == [[0, 2, 4], [1, 3]]


@pytest.mark.parametrize("finished", [True, False])
def test_other_settings_are_refused_by_name(tmp_path, finished):
    if finished:
        write(tmp_path, numbered(5), step=7, digest="a")
    else:
        writer(tmp_path, 5, step=7, digest="a").write(0, numbered(2))
    before = files(tmp_path)
    message = (
        r"were begun with step=7 \(now 8\), digest='a' \(now 'b'\); .* choose another "
        "--out, or delete"
    )
    with pytest.raises(InputError, match=message):
        writer(tmp_path, 5, step=8, digest="b")
    assert files(tmp_path) == before


def test_another_name_of_a_tokenizer_is_no_other_tokenizer(tmp_path):
    writer(tmp_path, 5, workdir="runs/a").write(0, numbered(2))
    write(tmp_path, numbered(5), workdir="./runs/a")
    assert CodeSource(tmp_path).card["workdir"] == "runs/a"


def test_where_nothing_is_written_other_settings_take_the_place(tmp_path):
    writer(tmp_path, 5, step=7)
    write(tmp_path, numbered(5), step=8)
    assert CodeSource(tmp_path).card["step"] == 8


def test_codes_of_an_earlier_version_stay(tmp_path):
    (tmp_path / "codes.json").write_text('{"codebook_size": 16}')
    with pytest.raises(InputError, match="holds codes of an earlier version"):
        writer(tmp_path, 5)


def test_left_out_images_are_told_of_in_the_card(tmp_path):
    images = numbered(5)
    made = writer(tmp_path, 6)
    made.write(2, images[4:], ["b is broken"])
    made.write(0, [], ["a is broken", "c is broken"])
    made.write(1, images[:2])
    made.finish()
    source = CodeSource(tmp_path)
    assert source.card["skipped"] == ["a is broken", "c is broken", "b is broken"]
    assert (source.num_images, source.token_shapes) == (3, [(2, 3)])
    found = [source[i]["codes"][1, 1] for i in range(3)]
    assert found == [0, 1, 4]
    np.testing.assert_array_equal(source.array()[:, 1, 1], found)


def test_nothing_but_broken_images_are_no_codes(tmp_path):
    made = writer(tmp_path, 1)
    made.write(0, [], ["a is broken"])
    with pytest.raises(InputError, match=f"no images to tokenize into {tmp_path}"):
        made.finish()


def test_a_full_disk_is_told_of_and_leaves_the_shards_before(tmp_path, monkeypatch):
    made = writer(tmp_path, 4)
    made.write(0, numbered(2))
    before = files(tmp_path)

    def full(path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(PATH, "write_bytes", full)
    message = f"cannot be written to {tmp_path} (No space left on device); mend"
    with pytest.raises(InputError, match=re.escape(message)):
        made.write(1, numbered(2))
    assert files(tmp_path) == before


def test_the_others_wait_for_the_card(tmp_path, monkeypatch):
    monkeypatch.setattr(code_writer, "POLL_SECONDS", 0.01)
    first, second = (writer(tmp_path, 4, process=(index, 2)) for index in range(2))
    second.write(1, numbered(2))
    waiting = threading.Thread(target=second.finish)
    waiting.start()
    waiting.join(0.1)
    assert waiting.is_alive()
    first.write(0, numbered(2))
    first.finish()
    waiting.join(60)
    assert not waiting.is_alive()


def test_memory_does_not_grow_with_the_number_of_images(tmp_path):
    def peak(count: int) -> int:
        made = writer(tmp_path / str(count), count)
        tracemalloc.start()
        for number in made.missing():
            made.write(number, numbered(len(made.records(number)), shape=(128, 128)))
        made.finish()
        source = CodeSource(tmp_path / str(count))
        for row in range(count):
            source[row]
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    # Of an image 64 KiB are written, and 32 KiB of a file.
    assert peak(80) < peak(20) + 2**16
