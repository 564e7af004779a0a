import re

import numpy as np
import pytest

from configs import quickstart
from vq_jax.reports import report, tables

RECORDS = [{"step": 600, "train/l2": 0.5, "eval/test/psnr": 20.0}]


@pytest.fixture
def written(tmp_path):
    """`written(sizes, …)`: report.md of families {label: bits a position}."""

    def write(bits, families, **changes):
        results = [
            {
                "config": label,
                "family": family,
                "seed": seed,
                tables.SIZE: size,
                "psnr": 20.0,
                "num_images": 1_234,
            }
            for (label, size), family in zip(bits.items(), families, strict=True)
            for seed in (0, 1)
        ]
        images = np.zeros((1, 64, 64, 3), np.uint8)
        compared = report.Comparison(
            command="vq-jax compare",
            versions={"jax": "0.10"},
            configs={label: quickstart.get_config() for label in bits},
            differences={"losses.l1": dict.fromkeys(bits, 0.5)},
            allowed=changes.get("allowed", ()),
            results=results,
            records={label: [RECORDS, RECORDS] for label in bits},
            originals=images,
            recons=dict.fromkeys(bits, images),
        )
        paths = report.write(tmp_path, compared)
        assert [path.name for path in paths] == ["report.html", "report.md"]
        page, text = (path.read_text() for path in paths)
        named = re.findall(r"!\[.*\]\((.+)\)", text)
        assert page.count('src="data:image/png;base64,') == len(named)
        assert sorted(path.name for path in tmp_path.glob("*.png")) == sorted(named)
        return text, named

    return write


def test_it_says_what_was_done_and_what_differs(written):
    text, named = written({"a": 8.0, "b": 8.0}, "ab")
    assert text.startswith("# a against b\n")
    assert "32 images of 64 x 64 pixels: photos, split train; seeds 0, 1." in text
    assert "1,234 held-out images, split test." in text
    assert "the batch size and the steps do not differ.\n" in text
    assert "| losses.l1 | 0.5 | 0.5 |" in text
    assert "over 2 seeds, then every seed" in text
    assert named == ["curves.png", "pictures.png", "details.png"]


def test_sizes_of_a_family_have_a_figure_and_a_column(written):
    text, named = written({"fsq-6": 6.0, "fsq-8": 8.0, "none": None}, "ffn")
    assert named == ["sizes.png", "curves.png", "pictures.png", "details.png"]
    assert "| fsq-8 | 2^8 | 20.00 ± 0.00 |" in text
    assert "| none | 1 | - | 20.00 |" in text


def test_what_was_allowed_to_differ_is_named_and_a_long_title_is_short(written):
    bits = dict.fromkeys("abcde", 8.0)
    text, _ = written(bits, "abcde", allowed=("model.quantizer", "data.flip"))
    assert text.startswith("# 5 configurations, a to e\n")
    assert "but for what was allowed to: model.quantizer, data.flip." in text
