"""A short document of blocks, as Markdown and as one HTML file that needs no other."""

import base64
import dataclasses
import html
import re
from collections.abc import Sequence

from etils import epath

STYLE = """
:root { color-scheme: light dark; --text: #1b1f24; --page: #fff; --line: #d0d7de; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6edf3; --page: #0d1117; --line: #3d444d; }
}
body { max-width: 60rem; margin: 0 auto; padding: 1rem; line-height: 1.5;
  font-family: system-ui, sans-serif; color: var(--text); background: var(--page); }
h1, h2 { line-height: 1.25; overflow-wrap: anywhere; }
.wide { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { border: 1px solid var(--line); padding: .3rem .6rem; text-align: right; }
th:first-child, td:first-child { text-align: left; }
pre { overflow-x: auto; border: 1px solid var(--line); padding: .6rem; }
img { display: block; background: #fff; }
img.drawing { max-width: 100%; height: auto; }
img.pixels { image-rendering: pixelated; }
"""


@dataclasses.dataclass(frozen=True)
class Heading:
    """A heading of `level` 1, the title, or 2."""

    text: str
    level: int = 2


@dataclasses.dataclass(frozen=True)
class Paragraph:
    text: str


@dataclasses.dataclass(frozen=True)
class Code:
    """Lines to copy, as a command."""

    text: str


@dataclasses.dataclass(frozen=True)
class Table:
    """Cells of text; all rows are as long as `headings`."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclasses.dataclass(frozen=True)
class Picture:
    """A PNG file.

    Attributes:
        path: the file.
        text: what it shows, for those who do not see it.
        pixels: whether its pixels count, so that it is never scaled.
    """

    path: epath.Path
    text: str
    pixels: bool = False


Block = Heading | Paragraph | Code | Table | Picture


def markdown(blocks: Sequence[Block]) -> str:
    """The document beside its pictures, which it names without their folder."""
    return "\n\n".join(_MARKDOWN[type(block)](block) for block in blocks) + "\n"


def self_contained_html(blocks: Sequence[Block]) -> str:
    """The document with style and pictures inside; its first block is the title."""
    body = "\n".join(_HTML[type(block)](block) for block in blocks)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(blocks[0].text)}</title>\n<style>{STYLE}</style>\n"
        f"</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _escape(text: str) -> str:
    """Text that Markdown shows as it is; underscores within words need nothing."""
    return re.sub(r"([\\`*\[\]<>|#])", r"\\\1", text)


def _markdown_table(table: Table) -> str:
    rows = [[_escape(cell) for cell in row] for row in (table.headings, *table.rows)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    lines.insert(1, "|---|" + "---:|" * (len(table.headings) - 1))
    return "\n".join(lines)


def _html_table(table: Table) -> str:
    rows = [_html_row("th", table.headings), *(_html_row("td", r) for r in table.rows)]
    return f'<div class="wide"><table>\n{"".join(rows)}</table></div>'


def _html_row(tag: str, cells: Sequence[str]) -> str:
    inside = "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells)
    return f"<tr>{inside}</tr>\n"


def _html_picture(picture: Picture) -> str:
    data = base64.b64encode(epath.Path(picture.path).read_bytes()).decode()
    kind = "pixels" if picture.pixels else "drawing"
    return (
        f'<div class="wide"><img class="{kind}" alt="{html.escape(picture.text)}" '
        f'src="data:image/png;base64,{data}"></div>'
    )


_MARKDOWN = {
    Heading: lambda block: f"{'#' * block.level} {_escape(block.text)}",
    Paragraph: lambda block: _escape(block.text),
    Code: lambda block: f"```text\n{block.text}\n```",
    Table: _markdown_table,
    Picture: lambda block: f"![{_escape(block.text)}]({epath.Path(block.path).name})",
}
_HTML = {
    Heading: lambda block: (
        f"<h{block.level}>{html.escape(block.text)}</h{block.level}>"
    ),
    Paragraph: lambda block: f"<p>{html.escape(block.text)}</p>",
    Code: lambda block: f"<pre>{html.escape(block.text)}</pre>",
    Table: _html_table,
    Picture: _html_picture,
}
