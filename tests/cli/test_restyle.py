"""`vq-jax restyle`: files, sizes, both methods, and what it refuses before any work."""

import numpy as np
import pytest
from PIL import Image

from vq_jax.cli import restyle
from vq_jax.pretrained import cache, lpips
from vq_jax.testing import tiny, trained


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("restyle")
    trained.write_images(root / "images")
    trained.write_tokenizer(root / "tokenizer", root / "images")
    (root / "given").mkdir()
    Image.fromarray(tiny.images(1)[0]).save(root / "given" / "a.png")
    Image.fromarray(np.resize(tiny.images(1)[0], (13, 22, 3))).save(
        root / "given" / "b.png"
    )
    Image.fromarray(tiny.images(1, size=40, seed=2)[0]).save(root / "style.png")
    return root


@pytest.fixture
def restyled(call, root, tmp_path):
    def run(*flags, out="out", style="style.png"):
        return call(
            "restyle",
            f"--workdir={root / 'tokenizer'}",
            f"--content={root / 'given'}",
            f"--style={root / style}",
            f"--out={tmp_path / out}",
            *flags,
        )

    return run


def _pixels(path):
    return np.asarray(Image.open(path))


def test_strength_0_writes_what_reconstruct_does(call, restyled, root, tmp_path):
    code, printed = restyled("--method=adain", "--strength=0")
    assert code == 0, printed
    code, printed = call(
        "reconstruct",
        f"--workdir={root / 'tokenizer'}",
        f"--images={root / 'given'}",
        f"--out={tmp_path / 'plain'}",
    )
    assert code == 0, printed
    for name in ("a.png", "b.png"):
        found, plain = (_pixels(tmp_path / out / name) for out in ("out", "plain"))
        np.testing.assert_array_equal(found, plain)


def test_it_says_how_much_and_puts_the_original_on_the_left(restyled, root, tmp_path):
    code, printed = restyled("--method=adain", "--strength=0.7", "--compare")
    assert code == 0, printed
    assert "b.png (22x13, strength 0.7)" in printed
    pair = _pixels(tmp_path / "out" / "b.png")
    np.testing.assert_array_equal(pair[:13, :22], _pixels(root / "given" / "b.png"))
    small = restyled("--method=adain", "--strength=0.7", "--style_size=8", out="small")
    assert small[0] == 0, small[1]


def test_the_gram_method_gets_the_flags_and_its_weights(restyled, monkeypatch):
    made = {}

    class Plain(restyle_gram().GramStyle):
        def __init__(self, tokenizer, params, **options):
            super().__init__(tokenizer, {}, **options)
            made.update(params=params, **options)

        def _restyled(self, padded, style, strength):
            made["strength"] = strength
            self._say(restyle_gram().Progress(restyle.SAY_EVERY, {"style": 0.25}))
            return self.tokenizer.encode(padded[None])

    monkeypatch.setattr(restyle_gram(), "GramStyle", Plain)
    monkeypatch.setattr(lpips, "load_lpips", lambda net: {"of": net})
    code, printed = restyled("--steps=7", "--step_size=0.2")
    assert code == 0, printed
    assert made.pop("say")
    wanted = {"params": {"of": "vgg16"}, "steps": 7, "step_size": 0.2, "strength": 0.75}
    assert made == wanted
    assert f"step {restyle.SAY_EVERY}: style 0.250" in printed


def restyle_gram():
    from vq_jax.apps.style import gram

    return gram


def test_bad_input_is_one_line_and_nothing_is_written(restyled, tmp_path, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(lpips, "PACKAGE", "no_such_package")
    for flags, text in (
        (("--strength=1.5",), "--strength=1.5 must be in [0.0, 1.0]"),
        (
            ("--method=clip",),
            "error: --method='clip' is unknown; choose from ['adain', 'gram",
        ),
        (("--method=adain", "--style_size=3"), "--style is 3x3, and its sides have"),
        (("--method=adain", "--style_size=0"), "--style_size=0 must be in"),
        (("--method=adain", "--steps=9"), "--steps is for --method=gram, and this is"),
        (("--method=adain", "--step_size=1"), "--step_size is for --method=gram"),
        ((), "pip install 'vq_jax[lpips]'"),
    ):
        code, printed = restyled(*flags)
        assert code == 2
        assert text in printed.splitlines()[-1]
        assert not (tmp_path / "out").exists()
    code, printed = restyled("--method=adain", style="none.png")
    assert code == 2
    assert "none.png" in printed


def test_codes_without_a_gradient_are_one_error_before_any_image(
    restyled, root, tmp_path, monkeypatch
):
    monkeypatch.setattr(lpips, "load_lpips", lambda net: {})
    trained.write_tokenizer(root / "gumbel", root / "images", "gumbel")
    code, printed = restyled(f"--workdir={root / 'gumbel'}")
    assert code == 2
    assert printed.startswith("error: this quantizer's codes pass no gradient")
    assert printed.endswith("; take --method='adain'.\n")
    assert not (tmp_path / "out").exists()
    code, printed = restyled(f"--workdir={root / 'gumbel'}", "--method=adain")
    assert code == 0, printed
