"""Where the time on a GPU goes: the kernels of a trace, summed by kind."""

import collections
import pathlib
import re

import jax

# The first that fits a kernel's name. Libraries name theirs after what they compute,
# XLA after the first letters of what it fused.
KINDS = {
    "attention": r"flash|fmha|sdpa|attention",
    "layout change": r"transpose|nchwto|nhwcto|permute",
    "reduction": r"reduce|argm",
    "convolution": r"conv(?!ert)|fprop|dgrad|wgrad|winograd|cudnn",
    "matrix product": r"gemm|cublas|cutlass|dot|matmul|nvjet",
    "copy": r"memcpy|memset|copy",
    "scatter and sort": r"scatter|sort|gather",
    "fusion": r"fusion|loop_|elementwise",
}
NUM_LONGEST = 20


def summary(folder: str) -> dict:
    """Shares of the kernels' time by kind, and the longest, of a trace in `folder`.

    Raises:
        RuntimeError: there is no trace, or no kernel of a GPU in it.
    """
    files = [*pathlib.Path(folder).rglob("*.xplane.pb")]
    if not files:
        raise RuntimeError("the profiler wrote no trace")
    planes = jax.profiler.ProfileData.from_file(str(files[0])).planes
    times = kernel_times(planes)
    if not times:
        raise RuntimeError("the trace has no kernel of a GPU")
    total = sum(times.values())
    kinds = collections.Counter()
    for name, ns in times.items():
        kinds[kind(name)] += ns
    longest = times.most_common(NUM_LONGEST)
    return {
        "kernels_ms": round(total / 1e6, 2),
        "shares": {name: round(ns / total, 4) for name, ns in kinds.most_common()},
        "longest": {name[:120]: round(ns / total, 4) for name, ns in longest},
    }


def kernel_times(planes) -> collections.Counter:
    """Name of a kernel -> ns of all its runs; of each GPU's streams."""
    times = collections.Counter()
    for plane in planes:
        if not plane.name.startswith("/device:GPU"):
            continue
        for line in plane.lines:
            if line.name.startswith("Stream"):
                for event in line.events:
                    times[event.name] += event.duration_ns
    return times


def kind(name: str) -> str:
    """The kind of a kernel, one of KINDS or "other"."""
    for found, pattern in KINDS.items():
        if re.search(pattern, name, re.IGNORECASE):
            return found
    return "other"
