"""What every page is made of: one file that loads nothing, prints, is read aloud, and shows whatever it is given as text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

_STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 50rem; background: #fff; color: #1b1f24;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "Liberation Sans", Arial, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.3rem; margin: 2.5rem 0 .5rem; padding-top: 1rem; border-top: 2px solid #1b1f24; }
h3 { font-size: 1.05rem; margin: 2rem 0 .25rem; }
p { margin: .25rem 0 .75rem; max-width: 46rem; }
.lead { font-size: 1.15rem; }
.soft, caption, footer { color: #57606a; font-size: .9rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); gap: .75rem; margin: 1rem 0 1.5rem; padding: 0; list-style: none; }
.cards li { border: 1px solid #d8dee4; border-radius: 6px; padding: .6rem .8rem; }
.cards b { display: block; font-size: 1.5rem; line-height: 1.3; }
.cards span { display: block; color: #57606a; font-size: .85rem; line-height: 1.35; }
figure { margin: 0 0 1rem; }
figure svg { display: block; width: 100%; height: auto; }
figure .wide svg { max-width: 760px; }
figure .narrow { display: none; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; margin: .25rem 0 1rem; overflow-wrap: normal; }
caption { text-align: left; padding-bottom: .25rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid #d8dee4; }
td:first-child, th:first-child { min-width: 7rem; overflow-wrap: anywhere; }
tbody th { font-weight: normal; }
.number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
footer { margin-top: 3rem; border-top: 1px solid #d8dee4; padding-top: .75rem; }
@media screen and (max-width: 780px) {
  body { padding: 1rem .75rem 2rem; } figure .wide { display: none; } figure .narrow { display: block; } figure .narrow svg { max-width: 480px; }
  th, td { padding-right: .6rem; }
}
@page { size: A4; margin: 16mm; }
@media print {
  body { padding: 0; max-width: none; font-size: 11pt; } figure, .cards, tr, h2, h3 { break-inside: avoid; } h1, h2, h3, .soft { break-after: avoid; }
}
"""
# Whatever a page was given, a browser that opens it asks nobody for anything.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'"


def page(title: str, parts: Iterable[str]) -> str:
    """A whole page."""
    inside = "\n".join(part for part in parts if part)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f"<title>{text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n{inside}\n</body>\n</html>\n"
    )


def plain(value: object) -> str:
    """Anything on one line and without what steers a reader's eye; of a control character the drawing library would die."""
    return "".join(char if char.isprintable() else " " for char in str(value))


def text(value: object) -> str:
    """Anything as text of a page."""
    return escape(plain(value))


def tagged(name: str, value: object, kind: str = "") -> str:
    """A text in an element."""
    return f'<{name} class="{kind}">{text(value)}</{name}>' if kind else f"<{name}>{text(value)}</{name}>"


def cards(told: Iterable[tuple[str, str]]) -> str:
    """A few numbers that are seen first, each with what it is."""
    inside = "".join(f"<li><b>{text(number)}</b><span>{text(what)}</span></li>" for number, what in told)
    return f'<ul class="cards">{inside}</ul>'


def figure(wide: str, narrow: str) -> str:
    """A chart in two widths, of which a screen shows one, and paper the wide one."""
    return f'<figure><div class="wide">{wide}</div><div class="narrow">{narrow}</div></figure>'


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, words: int = 1, caption: str = "") -> str:
    """Rows under headings. The first `words` columns are words, the others numbers."""
    head = "".join(_cell("th", one, n >= words, ' scope="col"') for n, one in enumerate(headings))
    body = "".join(
        "<tr>" + "".join(_cell("td" if n else "th", one, n >= words, "" if n else ' scope="row"') for n, one in enumerate(row)) + "</tr>\n"
        for row in rows
    )  # fmt: skip
    told = tagged("caption", caption) if caption else ""
    return f'<div class="scroll"><table>{told}<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>'


def _cell(name: str, value: str, number: bool, more: str) -> str:
    kind = ' class="number"' if number else ""
    return f"<{name}{more}{kind}>{text(value)}</{name}>"
