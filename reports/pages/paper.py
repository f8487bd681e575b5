"""Documents on paper: headings, words, tables and figures laid out on pages, nothing cut."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING

from entrepot.reports.pages.tables import Cell, Table, printable
from entrepot.reports.pictures.style import LIGHT, Theme

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from entrepot.reports.pages.document import Picture

# A4 upright. All lengths are points, measured from the upper left corner.
WIDTH, HEIGHT = 595.4, 841.7
LEFT, RIGHT, TOP, BOTTOM = 47.0, 548.4, 66.0, 792.0
HEAD, FOOT = 44.0, 814.0
ROOM = RIGHT - LEFT
GAP, APART = 7.5, 24.0  # between columns, and between tables beside each other
HAIR = 0.01  # that a column is wider than its text, so that rounding breaks no line
LEADING = 1.36  # of the text size, from line to line
# Size of a table's text, how many ems a column of words keeps where it is wider, and whether narrower ones
# are broken between words too: the first that fit.
TRIES = ((6.5, 30.0, False), (6.0, 30.0, False), (5.5, 22.0, False), (5.5, 14.0, True))
SMALLEST = TRIES[-1][0]
TITLE, BELOW_TITLE, CAPTION = 7.0, 3.5, 6.5
WORD = re.compile(r"[^\W\d_]{2}")
BETWEEN = 1.6  # points between rows, where some are of several lines
ABOVE_TOTALS = 2.5
NARROW = 0.3 * ROOM  # notes of tables beside each other are as wide
TALLEST = 0.9 * (BOTTOM - TOP)  # of a figure
TOGETHER = 3  # rows that stay with the head of their table
SHORT = 0.3 * (BOTTOM - TOP)  # a table no higher than this stays on one page
LINES = 40  # of one row, before it goes on as another
UNKNOWN, ELLIPSIS = "\N{REPLACEMENT CHARACTER}", "\N{HORIZONTAL ELLIPSIS}"


@dataclass(frozen=True)
class Words:
    """One line of text, from `x` on or up to it."""

    x: float
    y: float  # of the base line
    text: str
    size: float
    bold: bool = False
    faint: bool = False
    right: bool = False


@dataclass(frozen=True)
class Rule:
    """A line across."""

    left: float
    right: float
    y: float


@dataclass(frozen=True)
class Panel:
    """A figure: what draws it into a part of the page, and where that is."""

    left: float
    top: float
    width: float
    height: float
    draw: Callable[[Figure, Theme], None]


Item = Words | Rule | Panel
Page = list[Item]


@cache
def measured(text: str, bold: bool) -> float:
    """Return the width of one or two characters in multiples of the text size; 0 for one the font lacks."""
    from matplotlib.font_manager import FontProperties, findfont
    from matplotlib.ft2font import FT2Font
    from matplotlib.textpath import TextToPath

    font = FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal", size=1.0)
    if len(text) == 1 and not FT2Font(findfont(font)).get_char_index(ord(text)):
        return 0.0
    return float(TextToPath().get_text_width_height_descent(text, font, ismath=False)[0])


def ems(text: str, bold: bool = False) -> float:
    """Return the width of a text in multiples of its size: its pairs of characters, which tells kerning."""
    if len(text) < 2:
        return measured(text, bold) if text else 0.0
    pairs = sum(measured(text[i : i + 2], bold) for i in range(len(text) - 1))
    return pairs - sum(measured(character, bold) for character in text[1:-1])


def legible(text: str) -> str:
    """Return a text on one line, with a sign for characters that the font does not have."""
    line = " ".join(printable(text).split())
    return "".join(c if measured(c, False) and measured(c, True) else UNKNOWN for c in line)


def wrapped(text: str, width: float, bold: bool = False) -> list[str]:
    """Break a text into lines of at most `width` ems: between words, within one where it is wider itself."""
    lines: list[str] = []
    for word in legible(text).split():
        if lines and ems(f"{lines[-1]} {word}", bold) <= width:
            lines[-1] += f" {word}"
        else:
            lines += broken(word, width, bold)
    return lines or [""]


def broken(word: str, width: float, bold: bool) -> Iterator[str]:
    """Cut a word into pieces of at most `width` ems, of one character at least."""
    start = 0
    for stop in range(2, len(word) + 1):
        if ems(word[start:stop], bold) > width:
            yield word[start : stop - 1]
            start = stop - 1
    yield word[start:]


def fitting(text: str, width: float, bold: bool = False) -> str:
    """Return as much of a text as fits on one line, with an ellipsis where that is not all."""
    whole = wrapped(text, width, bold)
    return whole[0] if len(whole) == 1 else wrapped(text, width - ems(ELLIPSIS, bold), bold)[0] + ELLIPSIS


@dataclass(frozen=True)
class Laid:
    """A table, or some of its columns, as lines of text in columns of a width.

    Args:
        title: shown above, and again on each page it goes on to.
        note: under the title.
        room: width of title and note, in points.
        size: of the text.
        widths: of the columns.
        numbers: whether each column is set to the right.
        head: lines by column.
        rows: lines by row and column.
        foot: how many of the last rows are totals.
    """

    title: str
    note: str
    room: float
    size: float
    widths: tuple[float, ...]
    numbers: tuple[bool, ...]
    head: list[list[str]]
    rows: list[list[list[str]]]
    foot: int

    @cached_property
    def across(self) -> float:
        """From the left edge of the first column to the right edge of the last."""
        return sum(self.widths) + GAP * (len(self.widths) - 1)

    @cached_property
    def width(self) -> float:
        """Of all columns, or of title and note where these are wider."""
        titles = [TITLE * ems(line, bold=True) for line in self.titled()]
        return max([self.across, *titles, *(self.size * ems(line) for line in self.noted)])

    @property
    def line(self) -> float:
        """From line to line."""
        return LEADING * self.size

    def titled(self, ending: str = "") -> list[str]:
        """Return the lines of the title, with an ending."""
        return wrapped(self.title + ending, self.room / TITLE, bold=True)

    @cached_property
    def noted(self) -> list[str]:
        """The lines of the note."""
        return wrapped(self.note, self.room / self.size) if self.note else []

    @cached_property
    def between(self) -> float:
        """From row to row beyond their lines."""
        return BETWEEN if any(len(lines) > 1 for row in self.rows for lines in row) else 0.0

    def deep(self, row: Sequence[Sequence[str]]) -> float:
        """Return the height of a row."""
        return self.line * max([len(lines) for lines in row], default=1) + self.between

    @property
    def named(self) -> float:
        """Height of the names of the columns; none where they have none."""
        return self.line * max(map(len, self.head)) if any(map(any, self.head)) else 0.0

    @property
    def top(self) -> float:
        """From the title to the first row."""
        title = LEADING * TITLE * len(self.titled()) + BELOW_TITLE
        return title + self.line * len(self.noted) + self.named + 5.0

    @property
    def least(self) -> float:
        """Of what stays on one page: its head and its first rows, all of them where it is short."""
        if self.height <= SHORT:
            return self.height
        return self.top + sum(map(self.deep, self.rows[:TOGETHER]))

    @property
    def height(self) -> float:
        """Of the whole, on one page."""
        return self.top + sum(map(self.deep, self.rows or [[[""]]])) + (ABOVE_TOTALS if self.foot else 0.0)


def laid_out(table: Table, *, beside: bool = False) -> list[Laid]:
    """Lay a table out across a page: in smaller text if need be, or as several with the first column in each.

    Args:
        table: what is laid out.
        beside: whether others shall find room beside it: its note is then no wider than it must be.
    """
    every = range(len(table.head))
    for size, kept, every_word in TRIES:
        widths = widths_of(table, every, size, kept, every_word)
        if widths is not None:
            return [laid(table, every, widths, size, table.title, beside)]
    groups: list[list[int]] = [[0]]
    for column in range(1, len(table.head)):
        if widths_of(table, [*groups[-1], column], *TRIES[-1]) is None and len(groups[-1]) > 1:
            groups.append([0])
        groups[-1].append(column)
    out = []
    for number, columns in enumerate(groups, start=1):
        widths = widths_of(table, columns, *TRIES[-1]) or [ROOM / len(columns) - GAP] * len(columns)
        title = f"{table.title} ({number} of {len(groups)})"
        out.append(laid(table, columns, widths, SMALLEST, title, beside))
    return out


def widths_of(
    table: Table, columns: Sequence[int], size: float, kept: float, every_word: bool
) -> list[float] | None:
    """Choose the widths of columns across a page, in points; None where they do not fit.

    Args:
        table: whose columns they are.
        columns: positions of some of its columns.
        size: of the text.
        kept: ems that a column of words keeps where room is short and it is wider; numbers are never broken.
        every_word: whether columns of words that are narrower than that are broken too.
    """
    natural, least = [], []
    for j in columns:
        bold = [i >= len(table.rows) - table.foot for i in range(len(table.rows))]
        cells = [legible(row[j].text) for row in table.rows]
        head = legible(table.head[j].text)
        widest_word = max(map(ems, head.split()), default=0.0)
        want = max([*map(ems, cells, bold), widest_word, ems(head) / 3])
        natural.append(size * want)
        if not table.head[j].number and any(map(WORD.search, cells)):
            if want > kept:
                want = kept
            elif every_word:
                parts = [
                    ems(word, dark) for cell, dark in zip(cells, bold, strict=True) for word in cell.split()
                ]
                want = max([*parts, widest_word])
        least.append(size * want)
    spare = ROOM - (GAP + HAIR) * len(natural) + GAP - sum(least)
    if spare < 0:
        return None
    wish = sum(natural) - sum(least)
    share = min(1.0, spare / wish) if wish else 0.0
    return [few + share * (all_of_it - few) + HAIR for few, all_of_it in zip(least, natural, strict=True)]


def laid(
    table: Table, columns: Sequence[int], widths: Sequence[float], size: float, title: str, beside: bool
) -> Laid:
    """Break every cell of some columns into lines of their widths."""

    def lines(cells: Sequence[Cell], bold: bool = False) -> list[list[str]]:
        return [wrapped(cells[j].text, w / size, bold) for j, w in zip(columns, widths, strict=True)]

    rows: list[list[list[str]]] = []
    for i, row in enumerate(table.rows):
        whole = lines(row, bold=i >= len(table.rows) - table.foot)
        deepest = max(map(len, whole))
        rows += [[part[at : at + LINES] for part in whole] for at in range(0, deepest, LINES)]
    across = sum(widths) + GAP * (len(widths) - 1)
    return Laid(
        title=title,
        note=table.note,
        room=max(across, NARROW) if beside else ROOM,
        size=size,
        widths=tuple(widths),
        numbers=tuple(table.head[j].number for j in columns),
        head=lines(table.head),
        rows=rows,
        foot=table.foot,
    )


@dataclass
class Flow:
    """Pages as they fill up, from top to bottom."""

    pages: list[Page] = field(default_factory=lambda: [[]])
    y: float = TOP  # the upper edge of what comes next

    @property
    def left(self) -> float:
        """Points left on the page."""
        return BOTTOM - self.y

    def turn(self) -> None:
        """Begin a new page, unless this one is empty."""
        if self.pages[-1]:
            self.pages.append([])
        self.y = TOP

    def need(self, height: float) -> None:
        """Turn the page where it has too little room."""
        if self.left < height:
            self.turn()

    def put(self, *items: Item) -> None:
        """Put items on the page."""
        self.pages[-1].extend(items)

    def heading(self, text: str, following: float = 50.0) -> None:
        """Write the heading of a section, on a page that has room for the beginning of what follows."""
        self.need(40.0 + following)
        self.y += 0.0 if self.y == TOP else 10.0
        for line in wrapped(text, ROOM / 10.5, bold=True):
            self.put(Words(LEFT, self.y + 10.5, line, 10.5, bold=True))
            self.y += 15.0
        self.put(Rule(LEFT, RIGHT, self.y))
        self.y += 12.0

    def paragraph(self, text: str, size: float = 7.5, head: str = "") -> None:
        """Write a paragraph, after a heading of its own in bold."""
        pitch = LEADING * size
        if head:
            self.need(3 * pitch)
            for line in wrapped(head, ROOM / size, bold=True):
                self.put(Words(LEFT, self.y + size, line, size, bold=True))
                self.y += pitch
        for line in wrapped(text, ROOM / size):
            self.need(pitch)
            self.put(Words(LEFT, self.y + size, line, size))
            self.y += pitch
        self.y += 0.5 * pitch

    def picture(self, picture: Picture) -> None:
        """Draw a figure as wide as the page has room, with the line below it."""
        height = min(72.0 * picture.height, TALLEST)
        caption = wrapped(picture.caption, ROOM / CAPTION) if picture.caption else []
        self.need(height + LEADING * CAPTION * len(caption))
        self.put(Panel(LEFT, self.y, ROOM, height, picture.draw_into))
        self.y += height + BELOW_TITLE
        for line in caption:
            self.put(Words(LEFT, self.y + CAPTION, line, CAPTION, faint=True))
            self.y += LEADING * CAPTION
        self.y += 10.0

    def beside(self, tables: Sequence[Table]) -> None:
        """Write tables next to each other as far as there is room, the others below."""
        row: list[Laid] = []
        for laid_table in [one for table in tables for one in laid_out(table, beside=True)]:
            together = [*row, laid_table]
            too_wide = sum(one.width for one in together) + APART * len(row) > ROOM
            if row and (too_wide or max(one.height for one in together) > BOTTOM - TOP):
                self._row(row)
                row = []
            row.append(laid_table)
        self._row(row)

    def table(self, table: Table) -> None:
        """Write a table, over as many pages as it takes."""
        for one in laid_out(table):
            self._write(one)

    def _row(self, row: Sequence[Laid]) -> None:
        """Write tables whose heads are level; one alone may go on over pages."""
        if len(row) == 1:
            self._write(row[0])
        elif row:
            self.need(max(one.height for one in row))
            top, ends, x = self.y, [], LEFT
            for one in row:
                self.y = top
                self._write(one, x)
                ends.append(self.y)
                x += one.width + APART
            self.y = max(ends)

    def _write(self, one: Laid, x: float = LEFT) -> None:
        """Write a laid table from `x` on; the head is said again on each page."""
        rows = one.rows
        self.need(one.least)
        self._head(one, one.titled(), one.noted, x)
        if not rows:
            self.put(Words(x, self.y + one.size, "None.", one.size, faint=True))
            self.y += one.line
        for i, row in enumerate(rows):
            if self.left < one.deep(row) + ABOVE_TOTALS * one.foot:
                self.turn()
                self._head(one, one.titled(", continued"), (), x)
            total = i >= len(rows) - one.foot
            if total and i == len(rows) - one.foot:
                self.put(Rule(x, x + one.across, self.y + 0.5))
                self.y += ABOVE_TOTALS
            self._line(one, row, x, self.y, bold=total)
            self.y += one.deep(row)
        self.y += 14.0

    def _head(self, one: Laid, title: Sequence[str], note: Sequence[str], x: float) -> None:
        """Write title, note and names of the columns."""
        for line in title:
            self.put(Words(x, self.y + TITLE, line, TITLE, bold=True))
            self.y += LEADING * TITLE
        self.y += BELOW_TITLE
        for line in note:
            self.put(Words(x, self.y + 0.85 * one.size, line, one.size, faint=True))
            self.y += one.line
        depth = one.deep(one.head)
        for j, lines in enumerate(one.head):
            above = depth - one.line * len(lines)
            self._line(
                one, [lines if k == j else [] for k in range(len(one.head))], x, self.y + above, faint=True
            )
        self.y += depth + 2.0
        self.put(Rule(x, x + sum(one.widths) + GAP * (len(one.widths) - 1), self.y))
        self.y += 3.0

    def _line(
        self,
        one: Laid,
        row: Sequence[Sequence[str]],
        x: float,
        y: float,
        *,
        bold: bool = False,
        faint: bool = False,
    ) -> None:
        """Write the lines of a row in their columns."""
        for j, (lines, width) in enumerate(zip(row, one.widths, strict=True)):
            edge = x + width if one.numbers[j] else x
            for k, text in enumerate(lines):
                base = y + one.size + one.line * k
                if text:
                    self.put(Words(edge, base, text, one.size, bold, faint, one.numbers[j]))
            x += width + GAP


def drawn_page(page: Page, theme: Theme = LIGHT) -> Figure:
    """Draw a page as a figure, free of pyplot."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72))
    draw_on(figure, page, theme)
    return figure


def draw_on(figure: Figure, page: Sequence[Item], theme: Theme) -> None:
    """Draw the items of a page over what a figure of A4 shows."""
    from matplotlib.lines import Line2D

    from entrepot.reports.pages.lines import Lines

    figure.add_artist(Lines([item for item in page if isinstance(item, Words)], theme))
    for item in page:
        if isinstance(item, Rule):
            level = 1 - item.y / HEIGHT
            ends = [item.left / WIDTH, item.right / WIDTH]
            figure.add_artist(Line2D(ends, [level, level], color=theme.rule, linewidth=0.6))
        elif isinstance(item, Panel):
            across = (item.left, item.width, WIDTH - item.left - item.width)
            down = (item.top, item.height, HEIGHT - item.top - item.height)
            grid = figure.add_gridspec(3, 3, width_ratios=across, height_ratios=down)
            item.draw(figure.add_subfigure(grid[1, 1]), theme)  # type: ignore[arg-type]


def running(title: str, label: str, foot: str, number: int, count: int) -> Page:
    """Return what every page has: a head with title and label, a foot with its number."""
    size = 6.5
    where = fitting(label, 0.5 * ROOM / size)
    what = fitting(title, (ROOM - GAP) / size - ems(where), bold=True)
    return [
        Words(LEFT, HEAD, what, size, bold=True),
        Words(RIGHT, HEAD, where, size, faint=True, right=True),
        Rule(LEFT, RIGHT, HEAD + 5.0),
        Words(LEFT, FOOT, foot, 6.0, faint=True),
        Words(RIGHT, FOOT, f"{number} of {count}", 6.0, faint=True, right=True),
    ]


def stamp(figure: Figure, foot: str, page: str = "", theme: Theme = LIGHT) -> None:
    """Write a line below the foot of a tear sheet: what the run came from, and the number of the page."""
    upright = figure.get_figheight() > figure.get_figwidth()
    side, size = (0.065 * WIDTH, 5.6) if upright else (0.022 * WIDTH, 7.5)
    right = 0.965 * WIDTH
    for x, text, align in ((side, foot, "left"), (right, page, "right")):
        with theme.active():
            figure.text(
                x / WIDTH, 1 - 833.0 / HEIGHT, text, fontsize=size, va="baseline", ha=align, color=theme.faint
            )  # fmt: skip


def foot_of(provenance: Mapping[str, str]) -> str:
    """Return what stands at the foot of every page: the code, the data and the run, by their fingerprints."""
    said = [f"{name} {provenance[name]}" for name in ("entrepot", "Data", "Run") if name in provenance]
    return legible(" \N{MIDDLE DOT} ".join(said)) or "entrepot"
