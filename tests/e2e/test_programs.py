"""The programs, on the workdir of a finished run."""

import json

import numpy as np
import pytest
from PIL import Image

from vq_jax import Tokenizer
from vq_jax.data.codes import CodeSource
from vq_jax.data.sources import photos

KEYS = {
    "psnr",
    "ssim",
    "l1",
    "l2",
    "usage",
    "perplexity",
    "bits_per_pixel",
    "num_images",
}


def test_a_run_leaves_its_records(trained):
    records = [
        json.loads(line)
        for line in (trained / "metrics.jsonl").read_text().split("\n")[:-1]
    ]
    assert [r["step"] for r in records if "train/loss" in r] == [5, 10, 15, 20]
    assert [r["step"] for r in records if "eval/test/psnr" in r] == [10, 20]
    with Image.open(trained / "images" / "reconstructions_0000020.png") as grid:
        assert grid.size == (8 * 34, 4 * 34)
    assert list(trained.glob("events.out.tfevents.*"))
    assert json.loads((trained / "config.json").read_text())["num_steps"] == 20


def test_evaluate_writes_what_it_prints(run, trained):
    code, printed = run("evaluate", f"--workdir={trained}")
    assert code == 0, printed
    report = json.loads((trained / "eval" / "test.json").read_text())
    assert set(report) >= KEYS
    assert f"{report['psnr']:.2f}" in printed
    assert str(trained / "eval" / "test.png") in printed.replace("\n", "")
    # 32-pixel tiles of the three held-out photographs.
    sizes = [p.shape for p in photos.held_out_photographs().values()]
    assert report["num_images"] == sum((h // 32) * (w // 32) for h, w, _ in sizes)
    assert report["bits_per_pixel"] == pytest.approx(6 / 16)


def test_evaluation_does_not_depend_on_the_batch_size(call, trained):
    reports = []
    for batch_size in (8, 56):
        code, printed = call(
            "evaluate", f"--workdir={trained}", f"--batch_size={batch_size}"
        )
        assert code == 0, printed
        reports.append(json.loads((trained / "eval" / "test.json").read_text()))
    for name in KEYS:
        assert reports[0][name] == pytest.approx(reports[1][name], rel=1e-4), name


def test_another_source_is_evaluated_beside_the_own_one(call, trained, tmp_path):
    for i, image in enumerate(photos.held_out_photographs().values()):
        Image.fromarray(image).save(tmp_path / f"{i}.jpg")
    code, printed = call(
        "evaluate", f"--workdir={trained}", f"--data=folder:{tmp_path}", "--split=all"
    )
    assert code == 0, printed
    (path,) = (trained / "eval").glob("folder*_all.json")
    assert json.loads(path.read_text())["num_images"] == 3


def test_a_picture_of_odd_size_keeps_it(run, trained, tmp_path):
    image = photos.photograph("chelsea")[:101, :67]
    Image.fromarray(image).save(tmp_path / "cat.png")
    code, printed = run(
        "reconstruct",
        f"--workdir={trained}",
        f"--images={tmp_path}/cat.png",
        f"--out={tmp_path}/out",
    )
    assert code == 0, printed
    assert (
        "67x101, padded to 80x112 by repeating the edge, then cropped back" in printed
    )
    with Image.open(tmp_path / "out" / "cat.png") as recon:
        assert recon.size == (67, 101)


def test_a_folder_keeps_its_tree_and_its_originals(call, trained, tmp_path):
    (tmp_path / "in" / "cats").mkdir(parents=True)
    image = Image.fromarray(photos.photograph("chelsea")[:32, :32])
    image.save(tmp_path / "in" / "cats" / "a.png")
    image.save(tmp_path / "in" / "b.jpg")
    flags = ("reconstruct", f"--workdir={trained}", f"--images={tmp_path}/in")
    code, printed = call(*flags, f"--out={tmp_path}/out")
    assert code == 0, printed
    made = {str(p.relative_to(tmp_path / "out")) for p in tmp_path.glob("out/**/*.png")}
    assert made == {"cats/a.png", "b.png"}
    code, printed = call(*flags, f"--out={tmp_path}/in")
    assert code == 2
    assert "--out would overwrite" in printed


def test_codes_on_disk_are_those_of_the_tokenizer(run, trained, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("astronaut", "chelsea"):
        image = photos.photograph(name)[:32, :32]
        Image.fromarray(image).save(folder / f"{name}.png")
    code, printed = run(
        "tokenize", f"--workdir={trained}", f"--images={folder}", f"--out={tmp_path}/c"
    )
    assert code == 0, printed
    source = CodeSource(tmp_path / "c")
    assert source.codebook_size == 64
    images = np.stack(
        [photos.photograph(n)[:32, :32] for n in ("astronaut", "chelsea")]
    )
    codes = Tokenizer.load(trained).encode(images)
    np.testing.assert_array_equal(source.array(), codes)
    np.testing.assert_array_equal(source[1]["codes"], codes[1])
