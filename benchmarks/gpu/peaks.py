"""What cards can do, by the names that their drivers give them."""

# Part of the name -> TFLOP/s of dense bfloat16 products that are summed in float32, by
# NVIDIA's data sheets; the first that fits.
PEAKS = {
    "B200": 2250.0,
    "GH200": 989.0,
    "H200": 989.0,
    "H100 NVL": 835.0,
    "H100 PCIe": 756.0,
    "H100": 989.0,
    "A100": 312.0,
    "L40S": 362.0,
    "L4": 121.0,
    "A10": 125.0,
    "RTX 4090": 165.0,
}


def peak_tflops(device: str) -> float | None:
    """TFLOP/s in bfloat16 of a card, None of one that is not in the table."""
    for name, peak in PEAKS.items():
        if name in device:
            return peak
    return None
