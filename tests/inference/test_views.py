"""Which crops and mirror images of an image are encoded."""

import numpy as np
import pytest
from ml_collections import ConfigDict

from configs.parts import data
from vq_jax.data.transforms import eval_transform
from vq_jax.errors import InputError
from vq_jax.inference.fit import Fit
from vq_jax.inference.views import Views
from vq_jax.testing import tiny


def _record(number: int = 0, height: int = 24, width: int = 40) -> dict:
    image = tiny.images(1, size=40, seed=number)[0, :height, :width]
    return {"image": image, "label": 3, "name": f"{number}.png"}


def _views(kind: str = "crop", crop: str = "random", **options) -> Views:
    fields = {"image_size": 16, "crop": crop, "resize": "none"}
    config = ConfigDict({**data.photos(), **fields})
    return Views(fit=Fit(kind, config, stride=4), **options)


def _pixels(views: Views, index: int = 0, number: int = 0) -> list[np.ndarray]:
    return [fitted.image for fitted in views(index, _record(number))]


def test_the_first_view_is_that_of_evaluations():
    views = _views(crops=3, mirror=True)
    first = eval_transform(views.fit.data)(_record())["image"]
    np.testing.assert_array_equal(_pixels(views)[0], first)


def test_views_are_different_squares_of_the_image():
    views = _views(crops=4)
    fitted = views(0, _record())
    assert len(fitted) == len(views) == 4
    assert {view.image.shape for view in fitted} == {(16, 16, 3)}
    assert {view.size for view in fitted} == {(16, 16)}
    assert {(view.label, view.name) for view in fitted} == {(3, "0.png")}
    assert len({image.tobytes() for image in _pixels(views)}) == 4


def test_a_crop_depends_on_seed_index_and_number_only():
    few, many = _views(crops=2, seed=7), _views(crops=5, mirror=True, seed=7)
    many(3, _record(1))
    for left, right in zip(_pixels(few, 4), _pixels(many, 4)[::2], strict=False):
        np.testing.assert_array_equal(left, right)
    assert _pixels(few, 4)[1].tobytes() != _pixels(few, 5)[1].tobytes()
    other = _views(crops=2, seed=8)
    assert _pixels(few, 4)[1].tobytes() != _pixels(other, 4)[1].tobytes()


@pytest.mark.parametrize("kind", ["crop", "resize", "whole"])
def test_a_crop_is_followed_by_its_mirror_image(kind):
    fields = {"crops": 2} if kind == "crop" else {}
    views = _views(kind, mirror=True, **fields)(0, _record(0, 23, 38))
    for plain, mirrored in zip(views[::2], views[1::2], strict=True):
        height, width = plain.size
        assert plain.image.shape == mirrored.image.shape
        np.testing.assert_array_equal(
            plain.image[:height, :width], mirrored.image[:height, :width][:, ::-1]
        )


def test_views_say_what_they_are():
    assert str(_views()) == str(_views().fit)
    text = str(_views(crops=3, mirror=True, seed=5))
    assert text.endswith(
        ", and 2 crops at random (random, seed 5), each with its mirror image"
    )


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"crops": 0}, "--crops=0"),
        ({"seed": -1}, "--seed=-1"),
        ({"crops": 2, "kind": "whole"}, "--fit=whole takes them whole; give --fit=cro"),
        ({"crops": 2, "crop": "center"}, "crop='center'. Give --crop=random"),
    ],
)
def test_crops_that_cannot_be_are_refused(fields, message):
    with pytest.raises(InputError, match=message):
        _views(**fields)
