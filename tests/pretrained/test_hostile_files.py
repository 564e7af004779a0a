"""Files that neither PyTorch nor NumPy would write, made here byte by byte."""

import contextlib
import io
import pickle
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from vq_jax.errors import InputError
from vq_jax.pretrained import array_pickle, lpips, plain_pickle, torch_file
from vq_jax.testing.goldens import FOLDER

DATA = np.arange(4, dtype="<f4").tobytes()
SIZED_DATA = struct.pack("<q", 4) + DATA


def opcodes(value) -> bytes:
    """The opcodes that push a value of Python; bytes are opcodes already."""
    if isinstance(value, bytes):
        return value
    if isinstance(value, tuple):
        return b"(" + b"".join(map(opcodes, value)) + b"t"
    return pickle.dumps(value, 2)[2:-1]


def call(name: str, *arguments) -> bytes:
    return b"c" + name.replace(" ", "\n").encode() + b"\n" + opcodes(arguments) + b"R"


def tensor(size=(4,), stride=(1,), offset=0, *, key="0", numel=4, kind="Float"):
    kind = f"ctorch\n{kind}Storage\n".encode()
    storage = opcodes(("storage", kind, key, "cpu", numel)) + b"Q"
    arguments = (storage, offset, size, stride, False, call("collections OrderedDict"))
    return call("torch._utils _rebuild_tensor_v2", *arguments)


def state(*tensors: bytes) -> bytes:
    """A pickle of the tensors in a dict."""
    items = (opcodes(str(i)) + array for i, array in enumerate(tensors))
    return b"\x80\x02}(" + b"".join(items) + b"u."


def legacy(pickled: bytes, keys=("0",), data=SIZED_DATA) -> bytes:
    begin = (pickle.dumps(value, 2) for value in (torch_file.MAGIC, 1001, {}))
    return b"".join(begin) + pickled + pickle.dumps(list(keys), 2) + data


def zipped(pickled: bytes, data=DATA, compression=zipfile.ZIP_STORED) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        archive.writestr("it/data.pkl", pickled)
        archive.writestr("it/data/0", data)
    return content.getvalue()


def encrypted(content: bytes) -> bytes:
    """The archive with the flag of encryption on its last member."""
    at = content.rindex(b"PK\1\2") + 8
    return content[:at] + b"\1" + content[at + 1 :]


def overlapping(content: bytes, copies: int) -> bytes:
    """The archive with its last entry repeated, all of them the same bytes."""
    entry, end = content.rindex(b"PK\1\2"), content.rindex(b"PK\5\6")
    entries = content[entry:end] * copies
    sizes = struct.unpack("<HHII", content[end + 8 : end + 20])
    count, size, start = sizes[0] + copies, sizes[2] + len(entries), sizes[3]
    end = content[end : end + 8] + struct.pack("<HHIIH", count, count, size, start, 0)
    return content[: content.rindex(b"PK\5\6")] + entries + end


@contextlib.contextmanager
def refused(kind: str):
    """An InputError is raised before a MiB is allocated."""
    tracemalloc.start()
    try:
        with pytest.raises(InputError, match=f"it is no file of {kind}: "):
            yield
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("form", [legacy, zipped])
def test_honest_files_of_this_kind_are_read(form):
    turned = tensor((2, 2), (1, 2))
    found = torch_file.read(form(state(tensor(), turned)), "it")
    assert [array.tolist() for array in found.values()] == [
        [0, 1, 2, 3],
        [[0, 2], [1, 3]],
    ]


def test_the_way_of_python_2_is_read():
    def old(text):
        return b"U" + bytes([len(text)]) + text.encode()

    item = b"](" + old("weight") + tensor() + b"e"
    items = b"](" + item + b"e"
    ordered = b"ccollections\nOrderedDict\n" + items + b"\x85R"
    metadata = b"}" + old("_metadata") + b"}sb"
    found = torch_file.read(legacy(b"\x80\x02" + ordered + metadata + b"."), "it")
    assert found["weight"].tolist() == [0, 1, 2, 3]


TENSORS = {
    "beyond the end": tensor((5,)),
    "beyond the end by its offset": tensor((2, 2), (2, 1), 2),
    "a negative stride": tensor((2,), (-1,), 1),
    "a negative offset": tensor(offset=-1),
    "a stride of 0": tensor((1 << 20, 1 << 9), (0, 0)),
    "rows that overlap": tensor((3, 3), (0, 1)),
    "sizes that overflow": tensor((1 << 62, 4), (1, 1)),
    "strides that overflow": tensor((5, 1), (1 << 60, 1)),
    "no numbers, but sizes that overflow": tensor((0, 1 << 70), (1, 1)),
    "more axes than NumPy has": tensor((1,) * 70, (1,) * 70),
    "strides for other axes": tensor((4,), (1, 1)),
    "sizes that are text": tensor("ab", "ab"),
    "a storage larger than the file": tensor(numel=1 << 40),
    "a storage smaller than its data": tensor((3,), numel=3),
    "a storage of negative size": tensor((0,), numel=-1),
    "another storage without data": tensor() + b"0" + tensor(key="1"),
    "another dtype of the storage": tensor(key="0", kind="Double"),
    "a dtype instead of a storage": call(
        "torch._utils _rebuild_tensor_v2", b"ctorch\nFloatStorage\n", 0, (4,), (1,)
    ),
    "a number": opcodes(3),
    "a list": opcodes([1, 2]),
    "a global that is not called": b"ctorch\nFloatStorage\n",
    "code": call("os system", "exit 1"),
    "code of the builtins": call("builtins eval", "1/0"),
    "a number that is called": opcodes(3) + b")R",
    "a state for a list": b"]}b",
    "dicts in dicts": b"}X\1\0\0\0a" * 2000 + b"}" + b"s" * 2000,
    "tuples in tuples": b")" + b"\x85" * 2000,
    "tuples in tuples as a key": b"})" + b"\x85" * 2000 + b"Ns",
    "a dict in itself": b"}q\0(X\1\0\0\0ah\0u",
    "a dict twice": b"}(X\1\0\0\0a}q\0X\1\0\0\0bh\0u",
    "a name that cannot be printed": b"}X\3\0\0\0\xed\xa0\x80Ns",
    "a memo of 2^31 entries": b"Nr\xff\xff\xff\x7f",
    "bytes beyond the end": b"B\xff\xff\xff\x7f",
    "an empty stack": b"00",
}


@pytest.mark.parametrize("form", [legacy, zipped])
@pytest.mark.parametrize("kind", TENSORS)
def test_a_hostile_tensor_is_refused(kind, form):
    content = form(state(tensor(), TENSORS[kind]))
    with refused("PyTorch tensors"):
        torch_file.read(content, "it")


HOSTILE = {
    "a compressed member": zipped(state(tensor()), DATA, zipfile.ZIP_DEFLATED),
    "an encrypted member": encrypted(zipped(state(tensor()))),
    "members on the same bytes": overlapping(zipped(state(tensor()), bytes(999)), 9),
    "no pickle": zipped(state(tensor())).replace(b"data.pkl", b"data.pkx"),
    "numbers of the other byte order": (FOLDER / "torch_zip.pth")
    .read_bytes()
    .replace(b"little", b"bigbig"),
    "a storage without its member": zipped(state(tensor(key="1"))),
    "too much for a storage": zipped(state(tensor()), DATA + b"0"),
    "storages without data": legacy(state(tensor()), (), b""),
    "storages cut short": legacy(state(tensor()), data=struct.pack("<q", 4) + b"0"),
    "data of no storage": legacy(state(tensor()), ("0", "1")),
    "data of another size": legacy(state(tensor()), data=b"\3" + SIZED_DATA[1:]),
    "data of a tuple": legacy(state(tensor()), [("0",)]),
    "data of a number": legacy(state(tensor()), [0]),
    "no dict": legacy(b"\x80\x02" + tensor() + b"."),
    "pickles without end": legacy(b"\x80\x02N"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused(kind):
    with refused("PyTorch tensors"):
        torch_file.read(HOSTILE[kind], "it")


def test_the_number_of_objects_is_limited(monkeypatch):
    monkeypatch.setattr(plain_pickle, "MAX_OPCODES", 100)
    with pytest.raises(InputError, match="more than 100 opcodes"):
        torch_file.read(legacy(b"\x80\x02" + b"N" * 100 + b"."), "it")


def test_tensors_of_one_storage_share_its_memory():
    whole, other = torch_file.read(legacy(state(*[tensor()] * 2)), "it").values()
    assert np.shares_memory(whole, other)


@pytest.mark.filterwarnings("ignore:invalid escape sequence")  # in names of globals
@pytest.mark.parametrize("form", ["torch_zip", "torch_legacy"])
def test_damaged_bytes_give_tensors_or_the_error(form):
    content = (FOLDER / f"{form}.pth").read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(200):
        damaged = bytearray(content)
        damaged[rng.integers(len(content))] = rng.integers(256)
        with contextlib.suppress(InputError):
            torch_file.read(bytes(damaged), "it")


@pytest.mark.parametrize(
    "names",
    [
        ["features.0"],
        ["features.x.weight"],
        ["features.0.gamma"],
        ["features." + "9" * 5000 + ".weight"],
        ["features.0.weight", "features.1.bias"],
    ],
)
def test_weights_of_other_names_and_shapes_are_refused(names):
    tree = dict.fromkeys(names, np.zeros((2, 2), np.float32))
    with pytest.raises(
        InputError, match="the files of PyTorch for alexnet does not fit"
    ):
        lpips.convert_torch("alexnet", tree, tree)


def dtype(name="f4", state=(3, "<", None, None, None, -1, -1, 0)) -> bytes:
    return call("numpy dtype", name, False, True) + opcodes(state) + b"b"


FLOAT = dtype()


def array(shape=(4,), dtype=FLOAT, data=b"C\x10" + DATA, fortran=False) -> bytes:
    made = call("numpy.core.multiarray _reconstruct", b"cnumpy\nndarray\n", (0,), b"N")
    return made + opcodes((1, shape, dtype, fortran, data)) + b"b"


def test_pickled_arrays_come_back():
    arrays = {
        "a": {"b": np.arange(6.0).reshape(2, 3), "c": np.zeros((0, 2), np.int32)},
        "d": np.asfortranarray(np.arange(6, dtype=np.float16).reshape(2, 3)),
    }
    found = array_pickle.read(pickle.dumps(arrays, 3), "it")
    np.testing.assert_equal(found, arrays)
    assert found["d"].dtype == np.float16
    found = array_pickle.read(state(array((2, 2))), "it")["0"]
    np.testing.assert_array_equal(found, np.float32([[0, 1], [2, 3]]))


ARRAYS = {
    "pointers": call("numpy ndarray", (1,), dtype("O8"), b"C\x08" + bytes(8)),
    "pointers in an array": array((1,), dtype("O8"), b"C\x08" + bytes(8)),
    "pointers in a list": array((1,), dtype("O8"), opcodes([1])),
    "pointers in a field": array((1,), dtype("V8")),
    "numbers in a list": array((1,), data=opcodes([1])),
    "a long dtype": array((1,), dtype("(1000000000,)f4")),
    "a dtype that is a number": array((1,), dtype(4)),
    "a dtype that is text": array((4,), "f4"),
    "another byte order": array((4,), dtype(state=(3, ">"))),
    "a state of a dtype that is no tuple": array((4,), dtype(state=3)),
    "a shape for more data": array((5,)),
    "a shape for less data": array((3,)),
    "a shape that overflows": array((1 << 62, 4)),
    "a shape beyond all integers": array((1 << 70,)),
    "a shape of text": array("ab"),
    "part of a number": array((4,), data=b"C\x0f" + DATA[:-1]),
    "an array without data": call("numpy.core.multiarray _reconstruct"),
    "an array of other arguments": array()[:-1] + b"0Nb",
    "an outside object": opcodes(("storage",)) + b"Q",
    "a number": opcodes(3),
    "a list": opcodes([1, 2]),
    "code": call("os system", "exit 1"),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_a_hostile_array_is_refused(kind):
    with refused("NumPy arrays"):
        array_pickle.read(state(array(), ARRAYS[kind]), "it")


def test_an_array_alone_is_no_dict_of_arrays():
    with refused("NumPy arrays"):
        array_pickle.read(b"\x80\x02" + array() + b".", "it")
