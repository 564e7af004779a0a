"""All of `benchmarks/on_gpu.py` but its numbers, where there is no GPU."""

import importlib.util
import itertools
import json
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import on_gpu
import pytest
from gpu import kernels, peaks, process

REQUEST = {"what": "vae", "batch_size": 1, "mode": "compiled"}
# Answers what it is asked; at a batch of 13 it dies, and at one of 99 it hangs.
WORKER = """
import json, sys, time
for line in sys.stdin:
    size = json.loads(line)["batch_size"]
    if size == 13: sys.exit(3)
    if size == 99: time.sleep(600)
    print("a library says something")
    print(json.dumps({"size": size}), flush=True)
"""


@pytest.fixture
def worker(tmp_path):
    with process.Process("ours", tiny=True, cache=str(tmp_path)) as running:
        running._command = [sys.executable, "-c", WORKER]
        yield running


def _ask(worker, size: int, seconds: float = 60) -> dict:
    return worker.ask({**REQUEST, "batch_size": size}, time.monotonic() + seconds)


def test_a_worker_that_dies_is_reported_and_started_anew(worker):
    assert _ask(worker, 5) == {"size": 5}
    assert _ask(worker, 13) == {"error": "its process ended with code 3"}
    assert _ask(worker, 6) == {"size": 6}


def test_a_worker_that_hangs_is_ended_in_time(worker, monkeypatch):
    monkeypatch.setattr(process, "GRACE_S", 0.1)
    assert "longer than there was time" in _ask(worker, 99, 1)["error"]
    assert _ask(worker, 6) == {"size": 6}


def test_nothing_begins_after_the_end(worker):
    assert _ask(worker, 5, -1) == {"error": "no time left"}
    assert worker._process is None


class _Card:
    """A worker on a card that holds batches of 64 of the G + D step, and of 128."""

    def __init__(self, framework, *, tiny, cache):
        self.framework = framework

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def ask(self, request, end):
        if request["batch_size"] > (64 if request["what"] == "gan" else 128):
            return {"error": "RESOURCE_EXHAUSTED: Out of memory"}
        if request["what"] == "kernels":
            return {"kernels_ms": 1.0, "shares": {"convolution": 1.0}}
        found = {"median_ms": 100.0, "images_per_s": 10.0 * request["batch_size"]}
        return {"device": "NVIDIA H200", "tflop": 9.89, "compiled_mib": 1, **found}


def _arguments(**given):
    sizes = {"batch_size": 32, "max_batch_size": 512, "seconds": 340, "tiny": False}
    return SimpleNamespace(**sizes, **given)


def test_batches_double_until_one_does_not_fit(monkeypatch):
    monkeypatch.setattr(on_gpu, "Process", _Card)
    rows = list(on_gpu.measure(_arguments()))
    sizes = {
        what: [
            (row["batch_size"], "error" in row)
            for row in rows
            if (row["framework"], row["what"]) == ("ours", what)
        ]
        for what in ("gan", "vae", "decode")
    }
    assert sizes["gan"] == [(32, False), (64, False), (128, True)]
    assert sizes["vae"] == [(32, False), (64, False), (128, False), (256, True)]
    assert sizes["decode"] == [(32, False)]


def test_what_there_was_no_time_for_is_tried_again(monkeypatch):
    questions = itertools.count(1)

    class Hurried(_Card):
        def ask(self, request, end):
            late = next(questions) == 2  # of ours, at the smallest batch
            return process.NO_TIME if late else super().ask(request, end)

    monkeypatch.setattr(on_gpu, "Process", Hurried)
    rows = [
        (row["batch_size"], "error" in row)
        for row in on_gpu.measure(_arguments())
        if (row["framework"], row["what"]) == ("ours", "vae")
    ]
    assert rows[:3] == [(32, True), (32, False), (64, False)]


def test_the_share_of_the_peak_is_the_rate_over_that_of_the_card(monkeypatch):
    monkeypatch.setattr(on_gpu, "Process", _Card)
    rows = [row for row in on_gpu.measure(_arguments()) if "tflop" in row]
    # 9.89 TFLOP in 0.1 s, of 989 TFLOP/s.
    assert {row["share_of_peak"] for row in rows} == {0.1}
    assert peaks.peak_tflops("NVIDIA H100 PCIe") == 756.0
    assert peaks.peak_tflops("NVIDIA H100 80GB HBM3") == 989.0
    assert peaks.peak_tflops("cpu") is None


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (
            "sm90_xmma_fprop_implicit_gemm_bf16bf16_bf16f32_f32_nhwckrsc_nhwc",
            "convolution",
        ),
        ("cudnn_generated_fort_native_sdpa_sm90_flash_fprop", "attention"),
        ("nvjet_hsh_128x256_64x4_1x2_h_bz_coopA_NNT", "matrix product"),
        ("input_reduce_fusion_12", "reduction"),
        ("loop_convert_fusion_3", "fusion"),
        ("void cudnn::ops::nchwToNhwcKernel<...>", "layout change"),
        ("MemcpyD2D", "copy"),
        ("some_new_kernel", "other"),
    ],
)
def test_kernels_have_kinds(name, kind):
    assert kernels.kind(name) == kind


def _plane(name: str, **lines):
    events = {
        line: [SimpleNamespace(name=kernel, duration_ns=ns) for kernel, ns in times]
        for line, times in lines.items()
    }
    return SimpleNamespace(
        name=name,
        lines=[SimpleNamespace(name=n, events=times) for n, times in events.items()],
    )


def test_the_time_of_kernels_is_that_on_the_streams_of_gpus():
    planes = [
        _plane("/host:CPU", Stream=[("wgrad", 9.0)]),
        _plane("/device:GPU:0", Stream=[("wgrad", 2.0)], XLAModules=[("step", 5.0)]),
        _plane("/device:GPU:1", Stream=[("wgrad", 1.0), ("loop_fusion", 4.0)]),
    ]
    assert kernels.kernel_times(planes) == {"wgrad": 3.0, "loop_fusion": 4.0}


@pytest.mark.slow
def test_a_tiny_model_on_the_cpu_is_measured_and_written(tmp_path):
    out = tmp_path / "on_gpu.json"
    flags = ["--tiny", "--batch_size=1", "--max_batch_size=2", "--seconds=1500"]
    command = [sys.executable, on_gpu.__file__, *flags, f"--out={out}"]
    # Its numbers are none that anybody reads.
    environment = {**os.environ, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    printed = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert printed.returncode == 0, printed.stderr
    rows = json.loads(out.read_text())["rows"]
    ours = [row for row in rows if row["framework"] == "ours"]
    for what in ("gan", "vae"):
        found = [row for row in ours if row["what"] == what]
        assert [row["batch_size"] for row in found] == [1, 2]
        assert found[0]["tflop"] == pytest.approx(found[1]["tflop"] / 2)
    for row in ours:
        if row["what"] == "kernels":
            assert row["error"].endswith("the trace has no kernel of a GPU")
        else:
            assert row["images_per_s"] > 0, row
            assert row["compiled_mib"] > 0
    theirs = [row for row in rows if row["framework"] == "theirs"]
    if importlib.util.find_spec("torch") is None:
        assert len(theirs) == 8  # one of each step and mode; no larger batch
        assert {row["error"] for row in theirs} == {
            "RuntimeError: PyTorch is not installed here"
        }
    else:
        assert all("images_per_s" in row for row in theirs if row["mode"] == "eager")
