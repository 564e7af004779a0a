"""A VQ-VAE that goes on as a VQGAN, from the command line."""

import json

import numpy as np


def _evaluations(workdir):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    records = map(json.loads, lines)
    return {r["step"]: r["eval/test/psnr"] for r in records if "eval/test/psnr" in r}


def test_it_starts_at_the_psnr_of_the_run_that_it_comes_from(call, trained, tmp_path):
    code, printed = call(
        "train",
        "--config=configs/quickstart.py:patchgan,smoke",
        f"--workdir={tmp_path}",
        f"--config.init_from={trained}",
        "--config.freeze=('encoder',)",
        "--config.num_steps=6",
        "--config.optim.warmup_steps=0",
    )
    assert code == 0, printed
    assert f"Goes on from the model of {trained}, step 20." in printed
    origin = _evaluations(trained)[20]
    # On eight devices, and compiled otherwise: up to rounding.
    np.testing.assert_allclose(_evaluations(tmp_path)[0], origin, rtol=1e-5)
    assert abs(_evaluations(tmp_path)[6] - origin) > 1e-3 * origin


def test_another_model_is_an_error(call, trained, tmp_path):
    code, printed = call(
        "train",
        "--config=configs/quickstart.py:smoke,fsq",
        f"--workdir={tmp_path}",
        f"--config.init_from={trained}",
    )
    assert code == 2
    assert "holds another state" in printed
