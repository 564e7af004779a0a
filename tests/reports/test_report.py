import json
import re

import numpy as np
import pytest
from etils import epath

from configs import quickstart
from vq_jax.reports import grids, report
from vq_jax.reports.runs import Run


@pytest.fixture
def written(tmp_path, monkeypatch):
    """`written({label: variant}, …)`: report.md on finished runs of two seeds each."""

    def write(variants, families, allowed=()):
        runs = []
        for seed in (0, 1):
            for (label, variant), family in zip(
                variants.items(), families, strict=True
            ):
                workdir = epath.Path(tmp_path) / f"{label}-{seed}"
                workdir.mkdir()
                found = {"psnr": 20.0 + seed, "num_images": 1_234}
                record = {f"eval/test/{name}": value for name, value in found.items()}
                line = json.dumps({"step": 600, **record})
                (workdir / "metrics.jsonl").write_text(f"{line}\n")
                config = quickstart.get_config(variant)
                runs.append(Run(label, family, seed, config, workdir))
        images = np.zeros((1, 64, 64, 3), np.uint8)
        monkeypatch.setattr(
            grids,
            "reconstructions",
            lambda runs: (images, {run.label: images for run in runs}),
        )
        differences = {"losses.l1": dict.fromkeys(variants, 0.5)}
        compared = report.Comparison("vq-jax compare", runs, differences, allowed)
        page, text, _ = (p.read_text() for p in report.write(tmp_path, compared))
        named = re.findall(r"!\[.*\]\((.+)\)", text)
        assert page.count('src="data:image/png;base64,') == len(named)
        assert {path.name for path in tmp_path.glob("*.png")} == set(named)
        return text, named

    return write


def test_it_says_what_was_done_and_what_differs(written, tmp_path):
    text, named = written({"a": "vq", "b": "vq"}, "ab")
    assert text.startswith("# a against b\n")
    assert "32 images of 64 x 64 pixels: photos, split train; seeds 0, 1." in text
    assert "1,234 held-out images, split test." in text
    assert "the batch size and the steps do not differ.\n" in text
    assert "| losses.l1 | 0.5 | 0.5 |" in text
    assert "over 2 seeds, then every seed" in text
    assert "| a | 20.50 ± 0.71 |" in text
    assert "| b | 1 | 21.00 |" in text
    assert named == ["curves.png", "pictures.png", "details.png"]
    results = json.loads((tmp_path / "report.json").read_text())["runs"]
    assert [(one["config"], one["seed"], one["psnr"]) for one in results] == [
        ("a", 0, 20.0),
        ("a", 1, 21.0),
        ("b", 0, 20.0),
        ("b", 1, 21.0),
    ]


def test_sizes_of_a_family_have_a_figure_and_a_column(written):
    variants = {"one": "vq", "two": "product", "none": "none"}
    text, named = written(variants, ["vq", "vq", "none"])
    assert named == ["sizes.png", "curves.png", "pictures.png", "details.png"]
    assert "| one | 2^9 | 20.50 ± 0.71 |" in text
    assert "| two | 2^18 | 20.50 ± 0.71 |" in text  # two heads of 2^9 codes
    assert "| none | 1 | - | 21.00 |" in text


def test_what_was_allowed_to_differ_is_named_and_a_long_title_is_short(written):
    variants = dict.fromkeys("abcde", "vq")
    text, _ = written(variants, "abcde", allowed=("model.quantizer", "data.flip"))
    assert text.startswith("# 5 configurations, a to e\n")
    assert "but for what was allowed to: model.quantizer, data.flip." in text
