"""Augmentation experiments: what classifiers learn from, and what is concluded."""

import collections
import dataclasses
import json

import jax
import numpy as np
import pytest
from PIL import Image
from scipy import stats

from vq_jax import InputError, Sampler
from vq_jax.apps.augmentation import data_sets, report, summary, transforms
from vq_jax.apps.augmentation.data_sets import DataSets
from vq_jax.apps.augmentation.experiment import ARMS, Experiment
from vq_jax.apps.augmentation.labelled_images import LabelledImages
from vq_jax.evaluation import classifier
from vq_jax.inference.load_prior import open_prior
from vq_jax.inference.tokenizer import Tokenizer
from vq_jax.metrics.student import mean_interval
from vq_jax.testing import priors, tiny, trained

COUNTS = (5, 3, 4)  # training images of the classes in the tests of labels


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A data set of three classes with test images; a tokenizer and priors of it."""
    root = tmp_path_factory.mktemp("augmentation")
    trained.write_images(root / "images")
    _write_test_images(root / "images", seed=10)
    trained.write_tokenizer(root / "tokenizer", root / "images")
    trained.write_prior(
        root / "prior", root / "tokenizer", root / "images", "independent"
    )
    return root


def _write_test_images(folder, seed):
    for label, name in enumerate(trained.CLASSES):
        (folder / "test" / name).mkdir(parents=True, exist_ok=True)
        for i, image in enumerate(tiny.images(4, seed=seed + label)):
            Image.fromarray(image).save(folder / "test" / name / f"{i}.png")


@pytest.fixture
def learnt(monkeypatch):
    """What each classifier was trained on, and what it became, in order."""
    return _spied(monkeypatch)


def _spied(monkeypatch):
    found, train = [], classifier.train

    def spy(model, batches, **settings):
        batches = [*batches]
        variables = train(model, batches, **settings)
        found.append((batches, variables))
        return variables

    monkeypatch.setattr(classifier, "train", spy)
    return found


def _experiment(root, **changes):
    saved = open_prior(root / "prior")
    small = {"num_steps": 4, "batch_size": 8, "channels": (4,)}
    given = {**small, "learning_rate": 1e-3, **changes}
    given.setdefault("sampler", Sampler(saved, batch_size=8))
    if "data_sets" not in given:
        given["data_sets"] = data_sets.open_data_sets(saved, "test")
    return Experiment(**given)


class _Labelled(Sampler):
    """Draws images, and reconstructs them, that show their label and their kind."""

    def sample(self, count, labels=None, seed=0, known=None, **settings):
        return np.stack([np.full((16, 16, 3), 100 + label) for label in labels]).astype(
            np.uint8
        )


class _Shifted(Tokenizer):
    def reconstruct(self, images):
        return np.asarray(images) + np.uint8(50)


def _shown(count_by_class, offset=0):
    labels = np.repeat(np.arange(3, dtype=np.int32), count_by_class)
    labels = np.random.default_rng(0).permutation(labels)
    images = np.broadcast_to(labels[:, None, None, None], (len(labels), 16, 16, 3))
    return LabelledImages((images + offset).astype(np.uint8), labels)


@pytest.fixture(scope="module")
def marked(root):
    """The batches by arm, where a pixel is the label plus 0, 50 or 100, and 200 in
    test images: 0 of real ones, 50 of reconstructions, 100 of generated ones."""
    sampler = _Labelled(open_prior(root / "prior"), batch_size=8)
    model = sampler.tokenizer.model
    sampler.tokenizer = _Shifted(model, sampler.tokenizer.variables)
    sets = DataSets(_shown(COUNTS), _shown((2, 2, 2), 200), "test", 0)
    made = _experiment(
        root, sampler=sampler, data_sets=sets, num_steps=6, batch_size=2 * sum(COUNTS)
    )
    with pytest.MonkeyPatch.context() as patch:
        learnt = _spied(patch)
        arms = [one.arm for one in made.repetition(0)]
    return dict(zip(arms, (batches for batches, _ in learnt), strict=True))


OFFSETS = {
    "real": {0},
    "reconstructed": {50},
    "generated": {100},
    "real + reconstructed": {0, 50},
    "real + generated": {0, 100},
}


def test_images_keep_the_label_that_they_were_drawn_for(marked):
    for arm, offsets in OFFSETS.items():
        seen = set()
        for batch in marked[arm]:
            pixels = batch["image"][:, 0, 0, 0].astype(int)
            assert (pixels % 50 == batch["label"]).all(), arm
            seen |= {*(pixels - batch["label"]).tolist()}
        assert seen == offsets, arm


def test_no_arm_has_more_steps_or_larger_batches(marked):
    assert {*marked} == {arm.name for arm in ARMS}
    sizes = {arm: [len(b["label"]) for b in batches] for arm, batches in marked.items()}
    assert set(map(tuple, sizes.values())) == {(2 * sum(COUNTS),) * 6}


def test_every_arm_sees_classes_as_often_as_the_real_images_have_them(marked):
    # A batch is twice the real set: whole epochs of each pool.
    for batches in marked.values():
        for batch in batches:
            found = collections.Counter(batch["label"].tolist())
            assert [found[k] for k in range(3)] == [2 * n for n in COUNTS]


def test_classifiers_know_nothing_of_test_images(root, learnt):
    """Other test images, the same classifiers, bit for bit."""
    tested = []
    for seed in (10, 20):
        _write_test_images(root / "images", seed)
        made = _experiment(root)
        assert len([*made.repetition(1)]) == len(ARMS)
        tested.append(made.data_sets.test.images)
    assert (tested[0] != tested[1]).any()
    before, after = learnt[: len(ARMS)], learnt[len(ARMS) :]
    for (_, first), (_, second) in zip(before, after, strict=True):
        for a, b in zip(*map(_leaves, (first, second)), strict=True):
            np.testing.assert_array_equal(a, b)


def _leaves(variables):
    return jax.tree.leaves(jax.device_get(variables))


def test_repetitions_differ_and_their_arms_begin_alike(root, monkeypatch):
    seeds = []

    def train(model, batches, *, seed, **settings):
        seeds.append(seed)
        return next(batches)

    monkeypatch.setattr(classifier, "train", train)
    monkeypatch.setattr(classifier, "accuracy", lambda *args: 0.0)
    made = _experiment(root)
    for number in (0, 1, 0):
        assert len([*made.repetition(number)]) == len(ARMS)
    assert seeds[:7] == seeds[:1] * 7 == seeds[14:]
    assert seeds[7] != seeds[0]
    first, second, again = (made.generated(number) for number in (0, 1, 0))
    np.testing.assert_array_equal(first.images, again.images)
    assert (first.images != second.images).any()
    other = _experiment(root, seed=1).generated(0)
    assert (first.images != other.images).any()
    twice = _experiment(root, generated_per_real=2).generated(0)
    assert twice.per_class(3) == [20, 20, 20]


class _Counted(Sampler):
    """Knows how many images it has drawn at each call."""

    def __init__(self, saved, **given):
        super().__init__(saved, **given)
        self.counts = []

    def sample(self, count, labels=None, seed=0, known=None, **settings):
        self.counts.append(count)
        return super().sample(count, labels, seed, known, **settings)


def test_the_picture_draws_what_it_shows_from_a_stream_of_its_own(root, monkeypatch):
    shown, grid = [], report.pictures.comparison_grid

    def spied(*rows, columns):
        shown.append(rows)
        return grid(*rows, columns=columns)

    monkeypatch.setattr(report.pictures, "comparison_grid", spied)
    made = _experiment(root, sampler=_Counted(open_prior(root / "prior"), batch_size=8))
    np.testing.assert_array_equal(report.examples(made), report.examples(made))
    assert made.sampler.counts == [3, 3]
    real, _, generated, cropped, _ = shown[0]
    labels = np.arange(3, dtype=np.int32)
    np.testing.assert_array_equal(generated, made.generated(0, labels).images)
    rng = np.random.default_rng(made.stream_seed(0, "examples"))
    expected = [transforms.flip_and_crop(image, rng) for image in real]
    np.testing.assert_array_equal(cropped, expected)


def test_the_numbers_say_how_the_prior_was_drawn(root):
    saved = open_prior(root / "prior")
    sampler = Sampler(saved, batch_size=8)
    sampler.prior = priors.build("maskgit", saved.prior.layout, num_classes=3)
    sampling = {"num_steps": 2, "temperature": 0.5}
    made = _experiment(root, sampler=sampler, sampling=sampling)
    arms = summary.summarise({"real": [0.5, 0.6, 0.7]}, {"real": 30})
    finished = report.Finished(saved, made, arms)
    found = finished.as_json()
    assert found.items() >= saved.card().items()
    own = {name: getattr(sampler.prior, name) for name in sampler.prior.sampling_fields}
    assert own.keys() >= {"num_steps", "order", "choice_temperature"}
    wanted = {**dataclasses.asdict(saved.sampling), **own, **sampling}
    assert found["sampling"] == wanted
    assert report.card(finished)["num_seeds"] == 3


def test_the_interval_is_that_of_the_paired_t_test():
    rng = np.random.default_rng(0)
    real, other = rng.normal(0.8, 0.01, 5), rng.normal(0.81, 0.01, 5)
    found = mean_interval(other - real)
    test = stats.ttest_rel(other, real).confidence_interval(0.95)
    np.testing.assert_allclose(found[1:], test, rtol=1e-12)
    # By the table: 2.776 is the quantile of four degrees of freedom.
    low = real.mean() - 2.776 * real.std(ddof=1) / np.sqrt(5)
    np.testing.assert_allclose(mean_interval(real).low, low, rtol=1e-4)


def test_the_verdict_needs_an_interval_beside_zero():
    real = [0.80, 0.81, 0.82, 0.80, 0.79]
    found = {
        "real": real,
        "up": [
            x + d for x, d in zip(real, (1e-2, 2e-2, 1e-2, 2e-2, 1e-2), strict=True)
        ],
        "down": [x - 0.05 for x in real],
        "noisy": [x + d for x, d in zip(real, (0.1, -0.1, 0.1, -0.1, 0), strict=True)],
    }
    arms = summary.summarise(found, dict.fromkeys(found, 7))
    verdicts = [arm.verdict for arm in arms]
    assert verdicts == ["compared with", "helps", "hurts", "no difference shown"]
    text = summary.verdict(arms)
    assert text.startswith("More accurate than real images alone: up (+1.40 [+0.72")
    assert "Less accurate: down (-5.00" in text
    assert "No difference shown: noisy (" in text
    assert json.dumps([arm.as_json() for arm in arms])


@pytest.mark.parametrize("channels", [1, 3])
def test_classical_changes_are_those_that_they_are_called(channels):
    image = np.zeros((16, 24, channels), np.uint8)
    image[6:10, 4:9] = 200
    rng = np.random.default_rng(0)
    found = {transforms.flip_and_crop(image, rng).tobytes() for _ in range(600)}
    # Two directions, five places up and down, seven left and right: all of them.
    assert len(found) == 2 * 5 * 7
    for _ in range(40):
        changed = transforms.rand_augment(image, rng)
        assert (changed.shape, changed.dtype) == (image.shape, np.uint8)
    picture = Image.fromarray(np.repeat(image, 3 // channels, axis=-1))
    moved = transforms.OPERATIONS["translate_x"](picture, 0.3, 1.0)
    by = int(150 / 331 * 24 * 0.3)
    np.testing.assert_array_equal(moved, np.roll(picture, -by, axis=1))
    same = ("identity", "contrast", "brightness", "sharpness", "rotate", "shear_x")
    for name in (*same, "shear_y", "translate_x", "translate_y", "posterize"):
        unchanged = transforms.OPERATIONS[name](picture, 0.0, 1.0)
        np.testing.assert_array_equal(unchanged, picture, err_msg=name)
    dark = transforms.OPERATIONS["brightness"](picture, 0.5, -1.0)
    assert np.max(dark) == 110  # 200 x (1 - 0.9 / 2)


@pytest.mark.parametrize(
    ("field", "value"), [("train_split", "all"), ("source", "photos")]
)
def test_a_tokenizer_of_other_images_is_refused(root, field, value):
    saved = open_prior(root / "prior")
    saved.tokenizer.config.data[field] = value
    with pytest.raises(
        InputError, match=rf"tokenizer, .* config.data.{field}='{value}'"
    ):
        data_sets.open_data_sets(saved, "test")


def test_so_is_a_tokenizer_that_began_from_one(root):
    trained.write_tokenizer(root / "wide", root / "images")
    saved = open_prior(root / "prior")
    saved.tokenizer.config.init_from = str(root / "wide")
    assert len(data_sets.open_data_sets(saved, "test").train) == 30
    saved.config.data.train_split = saved.tokenizer.config.data.train_split = "all"
    with pytest.raises(InputError, match=r"wide, which .*\.train_split='train'"):
        data_sets.open_data_sets(saved, "test")


def test_test_images_that_were_trained_on_are_refused(root):
    saved = open_prior(root / "prior")
    with pytest.raises(InputError, match=r"test_split='train' is what .* trained on"):
        data_sets.open_data_sets(saved)
    with pytest.raises(InputError, match=r"'all': 30 of its 42 images are also in"):
        data_sets.open_data_sets(saved, "all")


def test_images_without_a_class_are_refused(root):
    loose = root / "images" / "test" / "loose.png"
    Image.fromarray(tiny.images(1, seed=99)[0]).save(loose)
    try:
        with pytest.raises(
            InputError, match=r"'test' has the labels \[-1\] \(-1: none"
        ):
            data_sets.open_data_sets(open_prior(root / "prior"), "test")
    finally:
        loose.unlink()


def test_a_class_without_training_images_is_refused(root, monkeypatch):
    read = data_sets.read_split

    def without_one(data, split, num_classes):
        found = read(data, split, num_classes)
        kept = found.labels != 1
        return LabelledImages(found.images[kept], found.labels[kept])

    monkeypatch.setattr(data_sets, "read_split", without_one)
    with pytest.raises(InputError, match=r"has no image of the classes \[1\]"):
        data_sets.open_data_sets(open_prior(root / "prior"), "test")
