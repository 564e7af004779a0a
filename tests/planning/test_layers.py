import pytest

from vq_jax.planning.layers import place


@pytest.mark.parametrize(
    ("op_name", "expected"),
    [
        (
            "jit(step)/jvp(Autoencoder)/decoder/Conv_0/conv_general_dilated",
            ("Autoencoder/decoder/Conv_0", "forward", "conv_general_dilated"),
        ),
        (
            "jit(<unnamed function>)/transpose(jvp(Autoencoder))/decoder/Conv_0/mul",
            ("Autoencoder/decoder/Conv_0", "backward", "mul"),
        ),
        (
            "jit(step)/jvp(Autoencoder)/Autoencoder._latents/encoder/Conv_1/add",
            ("Autoencoder/encoder/Conv_1", "forward", "add"),
        ),
        (
            "jit(step)/while/body/jvp(Net)/rematted_computation/Dense_0/dot_general",
            ("Net/Dense_0", "forward", "dot_general"),
        ),
        (
            "jit(step)/jvp(Net)/up_1/conv/cond/branch_0_fun/transpose()/mul",
            ("Net/up_1/conv", "forward", "mul"),
        ),
        (
            "jit(step)/transpose(jvp(jvp(Net)))/conv_out/mul",
            ("Net/conv_out", "backward", "mul"),
        ),
        (
            "jit(f)/transpose(jvp(Net))/decoder/jvp(Net)/decoder/checkpoint/up_0/mul",
            ("Net/decoder/up_0", "backward", "mul"),
        ),
        ("jit(step)/jit(_where)/select_n", ("", "other", "select_n")),
        ("jit(step)/transpose(jvp())/while", ("", "backward", "")),
        (
            "jit(f)/(transpose(jvp(Net))/Conv_0/reduce_sum:jvp(Net)/Conv_1/add)",
            ("Net/Conv_0", "backward", "reduce_sum"),
        ),
        ("", ("", "other", "")),
    ],
)
def test_the_place_of_an_operation(op_name, expected):
    assert place(op_name) == expected
