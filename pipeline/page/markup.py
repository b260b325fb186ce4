"""HTML in which every string is escaped unless it is markup already."""

from __future__ import annotations

import html
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

SHOWN = 300  # characters of a text
_NAME = 120  # characters of a name of a file, a source or a domain
_VOID = frozenset({"input", "meta"})
# Joiners inside of a word or an emoji belong to it; elsewhere they hide something.
_JOINER = re.compile("(?<=[^\x00-\x7f\u200b-\u200f])[\u200c\u200d](?=[^\x00-\x7f\u200b-\u200f])")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
_BLANKS = "\u00a0\u202f"  # that keep a number and its unit on one line
_WITHOUT_BLANKS = dict.fromkeys(map(ord, _BLANKS))
NONE = "–"
_TALL = 25  # rows of a table that scrolls down in its box


class Html(str):
    """Markup that is safe as it stands."""

    __slots__ = ()


def visible(text: str) -> str:
    """Return a text on one line, with invisible control characters made visible.

    Control characters, bidi overrides, zero-width characters and lone surrogates become ⟨U+202E⟩
    and the like. White space becomes a blank.
    """
    if text.translate(_WITHOUT_BLANKS).isprintable():
        return text
    kept = {match.start() for match in _JOINER.finditer(text)}
    parts = []
    for place, c in enumerate(text):
        if c in _BLANKS:
            parts.append(c)
        elif c.isspace():
            parts.append(" ")
        elif place not in kept and unicodedata.category(c) in _UNSEEN:
            parts.append(f"⟨U+{ord(c):04X}⟩")
        else:
            parts.append(c)
    return "".join(parts)


def cut(text: str, length: int = SHOWN) -> str:
    """Return the first characters of a text, made visible.

    Args:
        text: any text, trusted or not.
        length: most characters to return, an ellipsis included.
    """
    shown = visible(text[: length + 1])
    return shown if len(shown) <= length else shown[: length - 1] + "…"


def escape(text: str) -> Html:
    """Escape a text unless it is markup already."""
    return text if isinstance(text, Html) else Html(html.escape(visible(text)))


def join(parts: Iterable[str | None], between: str = "") -> Html:
    """Escape and concatenate parts; None adds nothing."""
    return Html(escape(between).join(escape(part) for part in parts if part is not None))


def el(tag: str, /, *children: str | None, **attributes: str | float | bool | None) -> Html:
    """Return an element with escaped children and attributes.

    Attributes that are None or False are left out. `class_` stands for class, `data_v` for data-v.
    """
    written = [tag]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        attribute = key.rstrip("_").replace("_", "-")
        written.append(attribute if value is True else f'{attribute}="{escape(str(value))}"')
    opened = f"<{' '.join(written)}>"
    return Html(opened if tag in _VOID else f"{opened}{join(children)}</{tag}>")


def name(text: str) -> Html:
    """Return a name that a user or a file system gave."""
    return el("bdi", cut(text, _NAME))


def corpus(text: str | None) -> Html:
    """Return a text of the corpus, marked as a quotation."""
    if text is None:
        return el("span", "not shown", class_="none")
    return el("span", cut(text), class_="corpus", dir="auto")


def number(value: float | None, form: str = ",", unit: str = "") -> str:
    """Format a number for a reader; None and values that are not finite become a dash."""
    if value is None or not math.isfinite(value):
        return NONE
    shown = format(value, form).replace("-", "−").replace("%", "\u202f%")
    if not any(c in "123456789" for c in shown):
        shown = shown.lstrip("−+")  # nothing is neither more nor less
    return f"{shown}\u202f{unit}" if unit else shown


def many(count: int, noun: str) -> str:
    """Format a count with its noun in the singular or plural."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def size(count: int) -> str:
    """Format a number of bytes for a reader."""
    value = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 1000:
            return number(value, _places(value) if unit != "B" else ".0f", unit)
        value /= 1000
    return number(value, f",{_places(value)}", "TB")


def _places(value: float) -> str:
    return ".2f" if value < 10 else ".1f" if value < 100 else ".0f"


def term(key: str, text: str) -> Html:
    """Return words that link to their explanation in the glossary."""
    place = f"g-{key}"
    return el("a", text, class_="term", href=f"#{place}", data_term=place, aria_describedby=place)


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        title: heading of the column.
        term: key of the glossary's term that explains it.
        numeric: True if its cells hold numbers.
        heading: True if its cells are headings of their rows.
    """

    title: str
    term: str | None = None
    numeric: bool = True
    heading: bool = False


@dataclass(frozen=True)
class Cell:
    """A cell of a table.

    Attributes:
        content: text or markup of the cell.
        value: value by which the table is sorted, where that differs from the content.
        classes: CSS classes, separated by blanks.
    """

    content: str
    value: float | str | None = None
    classes: str = ""


def figure(value: float | None, form: str = ",", unit: str = "", classes: str = "") -> Cell:
    """Return a cell that holds a number."""
    shown = number(value, form, unit)
    return Cell(shown, None if shown == NONE else value, classes)


def table(
    caption: str,
    columns: Sequence[Column],
    rows: Sequence[Sequence[Cell | str]],
    key: str | None = None,
    *,
    sortable: bool = False,
    groups: Mapping[int, str] | None = None,
) -> Html:
    """Return a table that scrolls in its own box.

    Args:
        caption: title of the table.
        columns: columns, in order.
        rows: cells of each row, one per column.
        key: id of the table, for the page's script.
        sortable: True if a click on a heading sorts the rows.
        groups: headings that span all columns, by the index of the row below them.
    """
    headings = (_heading(column, sortable) for column in columns)
    body = []
    for place, row in enumerate(rows):
        if groups and place in groups:
            heading = el("th", groups[place], colspan=len(columns), scope="rowgroup")
            body.append(el("tr", heading, class_="group"))
        cells = (_cell(column, cell, sortable) for column, cell in zip(columns, row, strict=True))
        body.append(el("tr", *cells))
    head = el("thead", el("tr", *headings))
    shown = el("table", el("caption", el("span", caption)), head, el("tbody", *body), id=key)
    classes = "box tall" if len(rows) > _TALL else "box"
    return el("div", shown, class_=classes, tabindex=0, role="region", aria_label=caption)


def _heading(column: Column, sortable: bool) -> Html:
    classes = "n" if column.numeric else None
    if not sortable:
        shown = term(column.term, column.title) if column.term else escape(column.title)
        return el("th", shown, scope="col", class_=classes)
    place = f"g-{column.term}" if column.term else None
    button = el(
        "button",
        column.title,
        el("span", class_="arrow", aria_hidden="true"),
        type="button",
        data_term=place,
        aria_describedby=place,
    )
    return el("th", button, scope="col", class_=classes, aria_sort="none")


def _cell(column: Column, cell: Cell | str, sortable: bool) -> Html:
    cell = cell if isinstance(cell, Cell) else Cell(cell)
    value = f"{cell.value:.6g}" if isinstance(cell.value, float) else cell.value
    if not sortable or str(value) == cell.content.replace(",", ""):
        value = None
    classes = " ".join([*cell.classes.split(), *(["n"] if column.numeric else [])]) or None
    if column.heading:
        return el("th", cell.content, scope="row", class_=classes, data_v=value)
    return el("td", cell.content, class_=classes, data_v=value)


def section(key: str, title: str, *children: str | None, brief: str | None = None) -> Html:
    """Return a section of the page that is closed until a reader or a link opens it.

    The anchor stands inside the fold, as browsers open a fold whose content a link leads to.

    Args:
        key: anchor of the section.
        title: heading, which stays in sight when the section is closed.
        children: contents of the section.
        brief: a few words beside the heading that summarise the contents.
    """
    heading = el("h2", title, id=f"{key}-title")
    shown = el("span", brief, class_="brief") if brief else None
    body = el("section", *children, id=key, aria_labelledby=f"{key}-title")
    return el("details", el("summary", heading, " ", shown), body, class_="fold")


def folded(title: str, *content: str | None) -> Html:
    """Return an element that is closed until a reader opens it.

    Args:
        title: words that stay in sight.
        content: what the fold holds.
    """
    return el("details", el("summary", title), *content)


def two_lines(first: str, second: str) -> Html:
    """Return a figure with a small second line, such as its interval; none if it is empty."""
    return join([first, el("small", second) if second else None])


def rounded(value: float | None, digits: int) -> float | None:
    """Round a number of the page's data to significant digits; None where it is not finite."""
    return float(f"{value:.{digits}g}") if value is not None and math.isfinite(value) else None


def more(count: int, shown: int, noun: str, file: str) -> Html | None:
    """Return a note that names the file with all entries; None if all are shown."""
    if count <= shown:
        return None
    return el("p", f"{shown:,} of {count:,} {noun} are shown; {file} lists all.", class_="note")
