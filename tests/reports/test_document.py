import base64
import html.parser

import pytest
from etils import epath

from vq_jax.reports import document

NASTY = "<script>a & b</script> | *c* [d](e) `f`"
PNG = b"\x89PNG not really"


@pytest.fixture
def blocks(tmp_path):
    path = epath.Path(tmp_path / "picture.png")
    path.write_bytes(PNG)
    return [
        document.Heading("A against B", level=1),
        document.Paragraph(NASTY),
        document.Code("vq-jax compare --configs=a.py,b.py"),
        document.Table(["name", "PSNR ↑"], [["a_b", "1.00 ± 0.10"], [NASTY, "-"]]),
        document.Picture(path, 'of "a"', pixels=True),
    ]


class _Reader(html.parser.HTMLParser):
    """Tags, attributes and text of a page; void tags are not closed."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.text = [], [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_the_page_needs_no_other_file(blocks):
    reader = _Reader(document.self_contained_html(blocks))
    assert reader.open == []
    names = [tag for tag, _ in reader.tags]
    assert not {"script", "link", "iframe"} & set(names)
    references = [
        attrs[name]
        for _, attrs in reader.tags
        for name in ("src", "href")
        if name in attrs
    ]
    (only,) = references
    kind, _, data = only.partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(data) == PNG
    assert "url(" not in document.STYLE
    assert "@import" not in document.STYLE


def test_the_page_shows_text_as_it_is(blocks):
    reader = _Reader(document.self_contained_html(blocks))
    assert reader.text.count(NASTY) == 2
    assert "1.00 ± 0.10" in reader.text
    (picture,) = [attrs for tag, attrs in reader.tags if tag == "img"]
    assert picture["alt"] == 'of "a"'


def test_the_page_fits_phones_and_both_colour_schemes(blocks):
    page = document.self_contained_html(blocks)
    assert 'name="viewport" content="width=device-width' in page
    assert "prefers-color-scheme: dark" in page


def test_markdown_names_the_picture_beside_it_and_escapes_text(blocks):
    lines = document.markdown(blocks).splitlines()
    assert lines[0] == "# A against B"
    assert r"\<script\>a & b\</script\> \| \*c\* \[d\](e) \`f\`" in lines
    assert lines[lines.index("| name | PSNR ↑ |") + 1] == "|---|---:|"
    assert "| a_b | 1.00 ± 0.10 |" in lines
    assert lines[-1] == '![of "a"](picture.png)'
