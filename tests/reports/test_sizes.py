import pytest

from vq_jax.reports import figures, sizes, tables


def _result(family, bits, psnr, **more):
    return {"family": family, tables.SIZE: bits, "psnr": psnr, **more}


RESULTS = [
    _result("vq", 8.0, 24.0),
    _result("vq", 6.0, 20.0, usage=0.25),
    _result("vq", 6.0, 22.0, usage=0.75),
    _result("fsq", 6.0, 21.0, usage=1.0),
    _result("none", None, 30.0),
]


@pytest.fixture(scope="module")
def drawn():
    """The figure, and what each panel shows: label -> points, label -> deviations."""
    figure = sizes.figure(RESULTS)
    shown = {}
    for axis in figure.axes:
        means = {bars.get_label(): bars.lines[0] for bars in axis.containers}
        shown[axis.get_title()] = (
            {label: line.get_xydata().tolist() for label, line in means.items()},
            {
                bars.get_label(): [
                    pytest.approx((high - low) / 2)
                    for (_, low), (_, high) in bars.lines[2][0].get_segments()
                ]
                for bars in axis.containers
            },
        )
    return figure, shown


def test_a_family_is_a_line_over_its_sizes_with_means_and_deviations(drawn):
    _, shown = drawn
    assert list(shown) == ["PSNR, dB ↑", "usage ↑"]
    means, deviations = shown["PSNR, dB ↑"]
    assert means == {"vq": [[64, 21], [256, 24]], "fsq": [[64, 21]]}
    assert deviations == {"vq": [2**0.5, 0], "fsq": [0]}
    # A metric that one size lacks has a point less.
    assert shown["usage ↑"][0] == {"vq": [[64, 0.5]], "fsq": [[64, 1]]}


def test_a_family_without_codes_is_a_line_across(drawn):
    figure, _ = drawn
    across = [line for line in figure.axes[0].lines if line.get_label() == "none"]
    assert [line.get_ydata() for line in across] == [[30.0, 30.0]]


def test_families_are_told_apart_and_named_in_the_legend(drawn):
    figure, _ = drawn
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["vq", "fsq", "none"]
    styles = {(line.get_color(), line.get_marker()) for line in legend.get_lines()}
    assert len(styles) == 3


def test_sizes_differ_within_a_family_only():
    assert sizes.differ(RESULTS)
    assert not sizes.differ([_result("vq", 8.0, 24.0), _result("fsq", 6.0, 21.0)])


def test_a_saved_figure_keeps_its_proportions(drawn, tmp_path):
    from PIL import Image

    figure, _ = drawn
    with Image.open(figures.save(tmp_path / "figure.png", figure)) as image:
        assert image.size == tuple(map(int, figure.get_size_inches() * figure.dpi))
