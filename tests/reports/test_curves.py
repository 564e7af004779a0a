from vq_jax.reports import curves

RECORDS = [
    {"step": 1, "train/l1": 0.5},
    {"step": 2, "train/l1": 0.25},
    {"step": 2, "eval/test/psnr": 20.0, "eval/test/ssim": 0.5},
]
LOGITS = [{"step": 1, "train/logits_real": 0.5, "train/logits_fake": -0.5}]


def _drawn(axis):
    """(colour, style, points) of every line that has any."""
    lines = (
        (line.get_color(), line.get_linestyle(), line.get_xydata().tolist())
        for line in axis.lines
    )
    return [line for line in lines if line[-1]]


def test_a_panel_is_what_any_run_recorded_and_a_line_is_a_seed():
    runs = {"a": [RECORDS, RECORDS], "b": [RECORDS + LOGITS]}
    figure = curves.figure(runs, "test")
    panels = {axis.get_title(): axis for axis in figure.axes}
    assert list(panels) == [
        "held-out PSNR, dB",
        "held-out SSIM",
        "train l1",
        "logits, real (line) and fake (dashes)",
    ]
    falling = [[1.0, 0.5], [2.0, 0.25]]
    assert _drawn(panels["train l1"]) == [
        ("C0", "-", falling),
        ("C0", "-", falling),
        ("C1", "-", falling),
    ]
    assert _drawn(panels["logits, real (line) and fake (dashes)"]) == [
        ("C1", "-", [[1.0, 0.5]]),
        ("C1", "--", [[1.0, -0.5]]),
    ]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]
    assert [line.get_color() for line in legend.get_lines()] == ["C0", "C1"]


def test_more_labels_than_the_usual_colours_have_a_colour_each():
    runs = {f"run {number}": [RECORDS] for number in range(23)}
    (axis, *_) = curves.figure(runs, "test").axes
    assert len({tuple(line.get_color()) for line in axis.lines}) == len(runs)
