"""Training a prior and evaluating it judge its samples, by configuration alone."""

import json

import pytest

TINY = (
    "--config.num_steps=4",
    "--config.batch_size=8",
    "--config.log_every=2",
    "--config.optim.warmup_steps=0",
    "--config.checkpoint.every=4",
    "--config.data.train_split=train",
    "--config.data.eval_split=test",
    "--config.data.image_size=16",
    "--config.data.channels=1",
)


@pytest.mark.slow
def test_a_prior_is_judged_in_its_run_and_by_the_program(images, call, tmp_path):
    source = f"--config.data.source=idx:{images}"
    tokenizer, prior = tmp_path / "tokenizer", tmp_path / "prior"
    code, printed = call(
        "train",
        "--config=configs/quickstart.py:smoke",
        f"--workdir={tokenizer}",
        source,
        *TINY,
    )
    assert code == 0, printed
    fields = {
        "generation": {"batch_size": 8, "features": ("alexnet",), "feature_size": 32},
        "neighbours": {"batch_size": 8, "num_images": 8},
        "recognition": {
            "batch_size": 8,
            "num_images": 8,
            "num_steps": 2,
            "train_batch_size": 8,
        },
        "likelihood": {"batch_size": 8},
        "samples": {"num_images": 8},
    }
    flags = [
        f"--config.evaluations.{section}.{name}={value}"
        for section, values in fields.items()
        for name, value in values.items()
    ]
    code, printed = call(
        "train",
        "--config=configs/independent_fashion_mnist.py",
        f"--workdir={prior}",
        f"--config.tokenizer={tokenizer}",
        "--config.prior.num_classes=2",
        source,
        *TINY,
        *flags,
    )
    assert code == 0, printed
    logged = (prior / "metrics.jsonl").read_text()
    assert "eval/test/kid_alexnet_32_floor" in logged
    assert "eval/test/recognised_samples" in logged
    code, printed = call("evaluate", f"--workdir={prior}")
    assert code == 0, printed
    found = json.loads((prior / "eval" / "test.json").read_text())
    assert found["num_generated"] == 20  # all that is held out
    assert found["nearest_copies"] > 0
    assert (prior / "eval" / "test_neighbours.png").exists()
