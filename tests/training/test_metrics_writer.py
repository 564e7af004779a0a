import json

from vq_jax.training.metrics_writer import MetricsWriter


def _steps(workdir):
    lines = (workdir / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["step"] for line in lines]


def _write(workdir, start_step, steps):
    writer = MetricsWriter(workdir, start_step=start_step)
    for step in steps:
        writer.scalars(step, {"train/loss": 1.0 / step})
    writer.close()


def test_resuming_drops_what_lies_after_the_checkpoint(tmp_path):
    _write(tmp_path, 0, [1, 2, 3, 4])
    _write(tmp_path, 2, [3, 4, 5])
    assert _steps(tmp_path) == [1, 2, 3, 4, 5]


def test_half_a_line_of_a_killed_process_is_dropped(tmp_path):
    _write(tmp_path, 0, [1, 2])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "train/lo')
    _write(tmp_path, 2, [3])
    assert _steps(tmp_path) == [1, 2, 3]
