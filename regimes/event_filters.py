"""Choosing events by what they say: channel, direction, severity, date, words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from entrepot.errors import ParameterError, is_whole, near_word, shown
from entrepot.markets.written_times import parse_date
from entrepot.regimes.event_file import AFFECTED, CHANNELS
from entrepot.regimes.intensity import SIDES

SEARCHED: Final = ("event_id", "title", "source_name", "source_ref", "notes")

Between = tuple[str | date | None, str | date | None]


def chosen(
    rows: pd.DataFrame,
    channel: str | Sequence[str] | None,
    direction: int | str | None,
    severity: int | None,
    core: bool | None,
    affected: str | Sequence[str] | None,
    between: Between | None,
    search: str | None,
) -> NDArray[np.bool_]:
    """Return which rows fit all that is asked for, shape (n_events,); see `Events.where`."""
    fits = pd.Series(True, index=rows.index)
    if channel is not None:
        fits &= rows["channel"].isin(_words(channel, "channel", CHANNELS))
    if direction is not None:
        fits &= rows["direction"] == _sign(direction)
    if severity is not None:
        if not (is_whole(severity) and 1 <= severity <= 5):
            raise ParameterError(
                f"severity is {shown(severity)}: give the least one wanted, a whole number from 1 to 5"
            )
        fits &= rows["severity"] >= severity
    if core is not None:
        if not isinstance(core, bool | np.bool_):
            raise ParameterError(f"core is {shown(core)}: give True, False or None")
        fits &= (rows["core"] == 1) == core
    if affected is not None:
        words = [{word.strip() for word in cell.split(";")} for cell in rows["affected"]]
        wanted = set(_affected(affected, set().union(*words)))
        fits &= np.array([bool(wanted & named) for named in words], dtype=np.bool_)
    if between is not None:
        first, last = _dates(between)
        day = announced_on(rows)
        fits &= (day >= first) & (day <= last)
    if search is not None:
        if not isinstance(search, str) or not search.strip():
            raise ParameterError(f"search is {shown(search)}: give words that the event's texts hold")
        asked = search.casefold().split()
        texts = [" ".join(cells).casefold() for cells in rows[list(SEARCHED)].itertuples(index=False)]
        fits &= np.array([all(word in text for word in asked) for text in texts], dtype=np.bool_)
    return fits.to_numpy(dtype=np.bool_)


def announced_on(rows: pd.DataFrame) -> pd.Series[str]:
    """Return the date each event was announced, as written; New York's of known_at where it is blank."""
    new_york = rows["known_at"].dt.tz_convert("America/New_York").dt.strftime("%Y-%m-%d").astype("str")
    written = rows["announced_at"].str.slice(0, 10)
    return written.where(written != "", new_york)


def _words(given: Any, argument: str, known: Sequence[str] | None) -> list[str]:
    words = [given] if isinstance(given, str) else given
    if (
        not isinstance(words, Sequence)
        or isinstance(words, bytes)
        or not words
        or not all(isinstance(word, str) for word in words)
    ):
        raise ParameterError(f"{argument} is {shown(given)}: give a word or a list of words")
    strange = [word for word in words if known is not None and word not in known]
    if strange and known is not None:
        near = near_word(strange[0], known)
        raise ParameterError(
            f"{argument} {shown(strange[0])} is unknown{near or ';'} use one of {', '.join(known)}"
        )
    return list(words)


def _affected(given: Any, written: set[str]) -> list[str]:
    """Return words of that column: of its format, or as some event has them."""
    wanted = _words(given, "affected", None)
    for word in wanted:
        if not AFFECTED.fullmatch(word) and word not in written - {""}:
            near = near_word(word, {"all", "adr", "hk", *written})
            raise ParameterError(
                f"affected {shown(word)} is unknown{near or ';'} use all, adr, hk, or sector: and a word"
            )
    return wanted


def _sign(direction: object) -> int:
    if isinstance(direction, str) and direction in SIDES:
        return SIDES[direction]
    if is_whole(direction) and direction in (1, -1):
        return int(direction)
    raise ParameterError(f"direction is {shown(direction)}: give 1 or 'escalation', or -1 or 'relief'")


def _dates(between: object) -> tuple[str, str]:
    """Return the first and last day, as text that compares as days do."""
    if not isinstance(between, tuple | list) or len(between) != 2:
        raise ParameterError(
            f"between is {shown(between)}: give the first and the last date, None where there is no bound"
        )
    days = []
    for given, open_end in zip(between, ("0000-00-00", "9999-99-99"), strict=True):
        text = given.strftime("%Y-%m-%d") if isinstance(given, date) and not pd.isna(given) else given
        try:
            if text is not None and not isinstance(text, str):
                raise ValueError(f"{shown(given)} is not a date; write 2025-04-02")
            days.append(open_end if text is None else parse_date(text).isoformat())
        except ValueError as error:
            raise ParameterError(f"between: {error}") from None
    if days[0] > days[1]:
        raise ParameterError(f"between ends {days[1]} before it begins, {days[0]}: swap the two dates")
    return days[0], days[1]
