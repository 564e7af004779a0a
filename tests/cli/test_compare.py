import pytest

from vq_jax.cli import compare
from vq_jax.errors import InputError


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("a.py,b.py", ["a.py", "b.py"]),
        ("a.py:smoke,vq,b.py:smoke", ["a.py:smoke,vq", "b.py:smoke"]),
        ("x/a.py:fsq-8,smoke,y/a.py,b.py", ["x/a.py:fsq-8,smoke", "y/a.py", "b.py"]),
    ],
)
def test_a_comma_within_a_variant_starts_no_new_configuration(text, paths):
    assert compare.split_configs(text) == paths


def test_labels_are_the_shortest_that_differ():
    assert compare.labels(["x/a.py:smoke", "x/b.py:smoke"]) == ["a", "b"]
    assert compare.labels(["a.py:smoke,vq", "a.py"]) == ["a-smoke-vq", "a"]
    assert compare.labels(["a.py:smoke,vq", "a.py:smoke"]) == ["a-vq", "a"]
    assert compare.labels(["a.py:vq,x", "a.py:x,vq"]) == ["a-vq-x", "a-x-vq"]
    with pytest.raises(InputError, match="both called a-vq"):
        compare.names(["x/a.py:vq", "y/a.py:vq"])


def test_every_configuration_is_trained_with_every_seed(monkeypatch, request):
    monkeypatch.chdir(request.config.rootpath)
    flags = ("--workdir=out", "--seeds=0,2,0", "--steps", "7")
    words = (*flags, "--config.data.flip=False", "--config.batch_size", "16")
    args, overrides = compare.shared_parser("x", "").parse_known_args(words)
    candidates = [
        compare.Candidate(f"configs/quickstart.py:{word}", f"dir-{word}", word, word)
        for word in ("vq", "fsq")
    ]
    runs = compare.plan(args, overrides, candidates)
    assert [(run.label, run.seed, str(run.workdir)) for run in runs] == [
        ("vq", 0, "out/dir-vq-0"),
        ("fsq", 0, "out/dir-fsq-0"),
        ("vq", 2, "out/dir-vq-2"),
        ("fsq", 2, "out/dir-fsq-2"),
    ]
    for run in runs:
        config = run.config
        assert config.model.quantizer.name == run.label
        assert (config.seed, config.num_steps, config.batch_size) == (run.seed, 7, 16)
        assert not config.data.flip
