"""A kind of run that the library does not know: nothing outside of this file changes.

A linear classifier of images trains through the general run: it starts, logs,
evaluates, shows a picture, warns, saves, resumes and is refused as a tokenizer.
"""

import dataclasses
import io
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from rich.console import Console

from configs.parts.defaults import defaults
from vq_jax import InputError, Tokenizer
from vq_jax.config import ranges
from vq_jax.data import pipeline
from vq_jax.evaluation import build as evaluation_build
from vq_jax.evaluation.base import Evaluation, Report, Subject
from vq_jax.evaluation.build import build_evaluations
from vq_jax.metrics.signs import PATIENCE, Sign
from vq_jax.ops import images as image_ops
from vq_jax.testing import tiny
from vq_jax.testing.runs import logged
from vq_jax.training import optim, run
from vq_jax.training.state import TrainState
from vq_jax.training.tasks import build as task_build
from vq_jax.training.tasks.base import RunFields, Task, count_parameters


class ClassifierFields(RunFields):
    num_classes: ranges.Count


class ClassifierTask(Task):
    fields = ClassifierFields
    shown = ("train/loss", "train/accuracy")

    def __init__(self, config):
        super().__init__(config)
        self.model = nn.Dense(config.num_classes)
        self.learning_rate = optim.make_schedule(config.optim, config.num_steps)
        self._tx = optim.make_optimizer(config.optim, self.learning_rate)

    @property
    def abstract_batch(self):
        count, size = self.config.batch_size, self.config.data.image_size
        return {
            "image": jax.ShapeDtypeStruct((count, size, size, 3), "uint8"),
            "label": jax.ShapeDtypeStruct((count,), "int32"),
        }

    def batches(self, *, process_index=0, process_count=1):
        config = self.config
        return pipeline.train_batches(
            config.data, seed=config.seed, batch_size=config.batch_size
        )

    def describe_data(self):
        return pipeline.describe(self.config.data)

    def init(self, key):
        images = jnp.zeros((1, self.config.data.image_size**2 * 3))
        params = self.model.init(key, images)["params"]
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            params=params,
            variables={},
            opt_state=self._tx.init(params),
            ema_params={},
        )

    def step(self, state, batch, key, nets):
        def loss_fn(params):
            logits = logits_of(self.model, {"params": params}, batch["image"])
            losses = optax.softmax_cross_entropy_with_integer_labels(
                logits, batch["label"]
            )
            hits = jnp.argmax(logits, axis=-1) == batch["label"]
            return jnp.mean(losses), jnp.mean(hits)

        (loss, accuracy), grads = jax.value_and_grad(loss_fn, has_aux=True)(
            state.params
        )
        metrics = {"train/loss": loss, "train/accuracy": accuracy}
        return state.apply_gradients(grads, self._tx, ema_decay=0.0), metrics

    def evaluations(self, mesh):
        data = self.config.data
        subject = Subject(self.model, data, data.eval_split, mesh)
        return build_evaluations(self.config, subject)

    def signs(self):
        return {"slow": Sign(lambda m: m["train/loss"] > 0.0, "it still learns.")}

    def describe(self, abstract_state):
        return {"classifier": f"{count_parameters(abstract_state.params)} parameters"}


def logits_of(model, variables, images):
    images = image_ops.from_uint8(images)
    return model.apply(variables, images.reshape(len(images), -1))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Accuracy(Evaluation):
    batch_size: int = 8

    def __call__(self, variables, nets):
        hits, count, wrong = 0.0, 0, []
        for batch in self.subject.batches(self.batch_size):
            found = jnp.argmax(
                logits_of(self.subject.model, variables, batch["image"]), axis=-1
            )
            hit = np.asarray((found == batch["label"]) & (batch["mask"] > 0))
            hits, count = hits + hit.sum(), count + int(batch["mask"].sum())
            wrong.append(np.asarray(batch["image"])[0])
        picture = np.concatenate(wrong, axis=1)
        return Report({"accuracy": float(hits / count)}, {"first_images": picture})


def _config(folder):
    config = defaults()
    for section in ("model", "losses", "freeze", "ema_decay", "usage_window"):
        del config[section]
    config.task, config.num_classes = "classifier", 3
    config.num_steps, config.batch_size, config.log_every = 24, 8, 2
    config.optim.learning_rate = 1e-2
    config.data.source, config.data.eval_split = f"folder:{folder}", "train"
    config.data.image_size, config.data.flip = 16, False
    config.evaluations = {"accuracy": {"every": 12}}
    config.checkpoint.every = 12
    return config.lock()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three classes of ten pictures, whose red tells them apart."""
    from PIL import Image

    root = tmp_path_factory.mktemp("classes")
    for label in range(3):
        (root / "train" / str(label)).mkdir(parents=True)
        for i, image in enumerate(tiny.images(10, seed=label)):
            image = image // 2
            image[..., 0] = 100 * label
            Image.fromarray(image).save(root / "train" / str(label) / f"{i}.png")
    return root


@pytest.fixture(autouse=True)
def _known(monkeypatch):
    monkeypatch.setitem(task_build.TASKS, "classifier", ClassifierTask)
    monkeypatch.setitem(evaluation_build.EVALUATIONS, "accuracy", Accuracy)


def _train(config, workdir):
    printed = io.StringIO()
    assert run.train(config, workdir, Console(file=printed, width=200)) == 0
    return printed.getvalue()


def test_it_trains_evaluates_warns_and_shows_its_pictures(folder, tmp_path):
    printed = _train(_config(folder), tmp_path)
    assert "classifier  2307 parameters" in printed
    assert "30 images in 3 classes" in printed
    assert f"step {2 * PATIENCE} · ALARM slow: it still learns." in printed
    assert "step 24/24 · loss" in printed
    assert " accuracy " in printed
    records = logged(tmp_path)
    name = "eval/train/accuracy"
    found = {line["step"]: line[name] for line in records if name in line}
    assert set(found) == {12, 24}
    assert found[24] > 0.9
    assert (tmp_path / "images" / "first_images_0000024.png").exists()


def test_it_resumes_bit_for_bit(folder, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    _train(_config(folder), whole)
    half = _config(folder).copy_and_resolve_references()
    half.num_steps = 12
    _train(half, parts)
    assert "12 -> 24" in _train(_config(folder), parts)
    assert logged(parts) == logged(whole)


def test_a_misspelt_field_of_its_own_is_an_error(folder, tmp_path):
    config = _config(folder).copy_and_resolve_references().unlock()
    config.num_clases = 4
    with pytest.raises(InputError, match=r"num_clases is .* mean config.num_classes\?"):
        _train(config, tmp_path)


def test_an_evaluation_that_fails_costs_no_step_and_is_made_up_for(
    folder, tmp_path, monkeypatch
):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    _train(_config(folder), whole)
    evaluate, calls = Accuracy.__call__, itertools.count()

    def fail_every_other_time(self, variables, nets):
        if next(calls) % 2 == 0:
            raise MemoryError
        return evaluate(self, variables, nets)

    monkeypatch.setattr(Accuracy, "__call__", fail_every_other_time)
    for step in (12, 24):
        with pytest.raises(MemoryError):
            _train(_config(folder), parts)
        assert (parts / "checkpoints" / str(step)).exists()
    assert "Finished 24 steps" in _train(_config(folder), parts)
    assert logged(parts) == logged(whole)
    assert "has finished 24 steps already" in _train(_config(folder), parts)
    assert next(calls) == 4


def test_it_is_no_tokenizer_and_takes_over_no_model(folder, tmp_path):
    config = _config(folder).copy_and_resolve_references()
    config.num_steps = 2
    _train(config, tmp_path)
    with pytest.raises(InputError, match=r"config.task='classifier', which trains no"):
        Tokenizer.load(tmp_path)
    config.init_from = str(tmp_path)
    with pytest.raises(InputError, match=r"takes over no other run's model"):
        _train(config, tmp_path / "next")
