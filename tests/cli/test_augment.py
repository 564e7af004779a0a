"""`vq-jax augment`: tables of tiny classifiers, whole or not at all."""

import json

import pytest
from PIL import Image

from vq_jax.apps.augmentation import data_sets
from vq_jax.apps.augmentation.experiment import ARMS, Experiment, Trained
from vq_jax.testing import tiny, trained
from vq_jax.workdirs import files


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Images of three classes, a tokenizer, and a prior with and without classes."""
    root = tmp_path_factory.mktemp("augment")
    trained.write_images(root / "images")
    for label, name in enumerate(trained.CLASSES):
        (root / "images" / "test" / name).mkdir(parents=True)
        for i, image in enumerate(tiny.images(4, seed=10 + label)):
            Image.fromarray(image).save(root / "images" / "test" / name / f"{i}.png")
    trained.write_tokenizer(root / "tokenizer", root / "images")
    trained.write_prior(
        root / "prior", root / "tokenizer", root / "images", "independent"
    )
    return root


def _augment(call, root, out, *flags):
    small = ("--num_steps=2", "--batch_size=8", "--channels=4")
    flags = ("--test_split=test", *small, *flags)
    return call("augment", f"--workdir={root / 'prior'}", f"--out={out}", *flags)


def test_it_writes_what_it_prints(call, root, tmp_path):
    code, printed = _augment(
        call, root, tmp_path / "a", "--temperature=0.5", "--channels=4,4"
    )
    assert code == 0, printed
    content = json.loads((tmp_path / "a" / "augmentation.json").read_text())
    assert (content["num_seeds"], content["num_steps"], content["seed"]) == (5, 2, 0)
    assert content["channels"] == [4, 4]  # two layers
    (experiment,) = content["experiments"]
    assert len(experiment["digest"]) == len(experiment["tokenizer"]["digest"]) == 64
    assert experiment["images_per_class"] == [10, 10, 10]
    assert experiment["num_test_images"] == 12
    assert experiment["sampling"]["temperature"] == 0.5
    assert [arm["arm"] for arm in experiment["arms"]] == [arm.name for arm in ARMS]
    assert {len(arm["accuracies"]) for arm in experiment["arms"]} == {5}
    table = (tmp_path / "a" / "augmentation.md").read_text()
    for arm in experiment["arms"]:
        assert f"| {arm['arm']} | {arm['num_images']} |" in table
        assert f"{100 * arm['accuracy']['mean']:.2f} ± " in printed
    assert experiment["verdict"] in table
    assert experiment["verdict"] in printed.replace("\n", " ")
    assert "35 of 35 · seed 4 · real, RandAugment: " in printed
    with Image.open(tmp_path / "a" / "images.png") as picture:
        assert picture.size == (3 * 18, 5 * 18)


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--num_seeds=4", "--num_seeds=4 gives no interval to rely on; give 5 or more"),
        ("--num_steps=0", "--num_steps=0 must be in"),
        ("--channels=0", "--channels=0 must be in"),
        ("--learning_rate=0", "--learning_rate=0.0 must be in"),
        ("--generated_per_real=0", "--generated_per_real=0 must be in"),
        ("--temperature=-1", "--temperature=-1.0 must be in"),
        ("--test_split=train", "--test_split='train' is what "),
        ("--test_split=dev", "has no split 'dev'"),
        ("--workdir=nowhere", "nowhere does not exist; name the workdir of a run."),
    ],
)
def test_bad_input_is_one_line_before_any_work(
    call, root, tmp_path, flag, message, monkeypatch
):
    monkeypatch.setattr(Experiment, "repetition", None)
    code, printed = _augment(call, root, tmp_path / "out", flag)
    assert code == 2
    assert printed.startswith("error: ")
    assert message in printed
    assert printed.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_there_and_a_run_named_twice_are_refused(call, root, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    code, printed = _augment(call, root, tmp_path)
    assert (code, f"--out={tmp_path} is there already" in printed) == (2, True)
    workdir = f"--workdir={root / 'prior'}"
    code, printed = _augment(call, root, tmp_path / "out", workdir)
    assert (code, "--workdir names one folder twice" in printed) == (2, True)
    code, printed = call("augment", f"--workdir={root / 'tokenizer'}", "--out=x")
    assert (code, "which trains no prior" in printed) == (2, True)


def test_a_prior_without_classes_is_refused(call, root, tmp_path, monkeypatch):
    opened = data_sets.open_data_sets

    def without_classes(saved, split):
        object.__setattr__(saved, "prior", saved.prior.clone(num_classes=0))
        return opened(saved, split)

    monkeypatch.setattr(data_sets, "open_data_sets", without_classes)
    code, printed = _augment(call, root, tmp_path / "out")
    assert code == 2
    assert "is the run of a prior without classes" in printed


def test_what_cannot_be_written_leaves_nothing(call, root, tmp_path, monkeypatch):
    def repetition(self, number):
        return (Trained(arm.name, 30, 0.5) for arm in ARMS)

    def full(path, text):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Experiment, "repetition", repetition)
    monkeypatch.setattr(files, "replace_text", full)
    code, printed = _augment(call, root, tmp_path / "out")
    assert code == 2
    assert "No space left on device" in printed
    assert not list(tmp_path.iterdir())
