from vq_jax.cli import compare_quantizers

FLAGS = ["--config=configs/c.py:smoke,fashion_mnist", "--workdir=out"]


def _candidates(*flags):
    args = compare_quantizers.parser().parse_args([*FLAGS, *flags])
    return compare_quantizers.candidates(args.config, args.families, args.bits)


def test_every_family_comes_with_every_size_and_the_smallest_first():
    made = _candidates("--families=vq,fsq", "--bits=8,6")
    assert [one.label for one in made] == ["vq-6", "fsq-6", "vq-8", "fsq-8"]
    assert [one.family for one in made] == ["vq", "fsq", "vq", "fsq"]
    assert made[1].path == "configs/c.py:smoke,fashion_mnist,fsq-6"
    assert made[1].name == "smoke-fashion_mnist-fsq-6"


def test_the_family_without_codes_comes_once():
    made = _candidates("--families=none,fsq", "--bits=6,8")
    assert [one.label for one in made] == ["none", "fsq-6", "fsq-8"]


def test_a_family_or_a_size_given_twice_counts_once():
    made = _candidates("--families=fsq,fsq", "--bits=6,6")
    assert [one.label for one in made] == ["fsq-6"]
