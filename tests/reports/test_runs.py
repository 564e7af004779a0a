from etils import epath

from configs import quickstart
from vq_jax.reports import runs
from vq_jax.workdirs import files, metrics


def test_a_run_is_finished_when_its_last_step_is_saved_and_evaluated(tmp_path):
    config = quickstart.get_config("smoke")
    run = runs.Run("a", "a", 0, config, epath.Path(tmp_path))
    split, step = config.data.eval_split, config.num_steps
    checkpoint = tmp_path / "checkpoints" / str(step)
    done = [
        lambda: files.write_config(tmp_path, config),
        lambda: metrics.append(tmp_path, step, {f"eval/{split}/psnr": 20.0}),
        lambda: checkpoint.mkdir(parents=True),
    ]
    for missing in done:
        assert not runs.finished(run)
        missing()
    assert runs.finished(run)
    checkpoint.rmdir()
    assert not runs.finished(run)
