from vq_jax.cli import compare_quantizers

CONFIG = "configs/c.py:smoke,fashion_mnist"


def test_every_family_comes_with_every_size_and_the_smallest_first():
    made = compare_quantizers.candidates(CONFIG, ["vq", "fsq"], [8, 6])
    assert [one.label for one in made] == ["vq-6", "fsq-6", "vq-8", "fsq-8"]
    assert [one.family for one in made] == ["vq", "fsq", "vq", "fsq"]
    assert made[1].path == "configs/c.py:smoke,fashion_mnist,fsq-6"
    assert made[1].name == "smoke-fashion_mnist-fsq-6"


def test_the_family_without_codes_comes_once():
    made = compare_quantizers.candidates(CONFIG, ["none", "fsq"], [6, 8])
    assert [one.label for one in made] == ["none", "fsq-6", "fsq-8"]
