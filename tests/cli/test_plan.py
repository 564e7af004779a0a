"""`vq-jax plan` as users run it, where no TPU's compiler is installed."""

import json

import pytest

SMOKE = "--config=configs/quickstart.py:smoke"


def test_a_plan_needs_no_workdir_and_no_data(call, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    code, printed = call(
        *("plan", SMOKE, "--platform=cpu", "--compilations=1"),
        *("--config.data.source=folder:/nowhere", "--per_chip=2"),
    )
    assert code == 0, printed
    assert "8 x CPU of this machine (cpu)" in printed
    assert "16 images, 2 each" in printed
    assert "all-reduce" in printed
    assert "Autoencoder/decoder/TransposedConv_1" in printed
    assert "largest batch" in printed


def test_a_sweep_writes_a_table_and_its_numbers(call, tmp_path):
    out = tmp_path / "sweep"
    code, printed = call(
        "plan", SMOKE, "--platform=cpu", "--per_chip=1,2", f"--sweep={out}"
    )
    assert code == 0, printed
    plans = json.loads((out / "plan.json").read_text())
    assert [plan["batch_size"] for plan in plans] == [8, 16]
    assert plans[0]["flops"] < plans[1]["flops"]
    table = (out / "plan.md").read_text()
    assert table.count("\n| cpu | 8 |") == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "--topology is missing"),
        (("--topology=v9:2x2",), "--topology=v9:2x2 is unknown"),
        (("--topology=v5e:2x2,v4:2x2x1",), "--topology: several are those of a sweep"),
        (("--platform=cpu", "--per_chip=1,2"), "--per_chip: several are those of a"),
        (("--platform=cpu", "--per_chip=0"), "--per_chip must be at least 1"),
        (("--platform=cuda",), "JAX compiles for an NVIDIA GPU only where one is"),
        (("--platform=cpu", "--tokenizer=x.py"), "this is no prior; leave the flag"),
        (
            ("--platform=cpu", "--config.batch_size=12"),
            "config.batch_size=12 does not divide over 8 chips of cpu",
        ),
        (("--platform=gpu",), "argument --platform: invalid choice: 'gpu'"),
    ],
)
def test_wrong_input_is_one_line(call, words, message):
    code, printed = call("plan", SMOKE, *words)
    assert code == 2
    assert message in printed
    assert "Traceback" not in printed


def test_a_prior_asks_for_a_tokenizer_or_its_configuration(call):
    code, printed = call(
        "plan", "--config=configs/ar_photos.py:smoke", "--platform=cpu"
    )
    assert code == 2
    assert "--tokenizer=configs/vqvae_fashion_mnist.py, or the workdir" in printed
