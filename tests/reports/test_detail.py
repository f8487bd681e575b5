"""Where and when, how sure, what was held: every figure against its source and against sums by hand."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from dataclasses import replace
from functools import lru_cache
from typing import Any

import doubles
import naive_attribution as naive
import numpy as np
import pandas as pd
import pytest
import worlds

import entrepot as ep
from entrepot.engine import backtest
from entrepot.engine.lines import SOURCES
from entrepot.job import default_plan
from entrepot.reports import (
    by_pair,
    currency_exposures,
    event_sources,
    exposures,
    holdings,
    intervals,
    turnover_by,
)
from entrepot.reports.metrics import by_month, excess_returns
from entrepot.reports.pages import detail, sections
from entrepot.reports.pages.contents import sections_of
from entrepot.reports.pages.findings import Findings, gather
from entrepot.reports.pages.glance import belief, payers
from entrepot.reports.pages.tables import Table
from entrepot.reports.significance import sharpe_odds

RUINED = (0, 22, 27)
SEEDS = (1, 2, 5, *RUINED)
MARKET, INCOME = {"price", "fx", "conversion"}, {"dividend", "interest", "rebate"}
GROUPS = ["total", "price and FX", "income", "costs"]


@pytest.fixture(scope="module")
def run() -> ep.Result:
    events = ep.load_events()
    market = ep.simulate_market(start="2019-01-02", end="2021-12-31", seed=7, events=events.frame)
    return ep.backtest(market, default_plan(ep.RegimeModel().walk_forward(market, events)))


@pytest.fixture(scope="module")
def found(run: ep.Result) -> Findings:
    return gather(run, states=run.path.states, names=run.path.names, events=ep.load_events().frame)


@lru_cache
def world(seed: int) -> Any:
    """A run of a drawn world with every mechanism."""
    switches = replace(worlds.random_switches(seed), impossible_shorts=False, stops=False)
    sizes = {"pairs": 1 + seed % 3, "hk_singles": 1 + seed % 2, "ny_singles": 1}
    own = worlds.random_world(seed, steps=80, switches=switches, **sizes)
    options = {"capital": own.capital, "base_currency": own.base_currency, "costs": own.costs}
    return backtest(own.market, own.plan, path=own.path, fill=own.fill, **options)


def figures(table: Table) -> dict[str, dict[str, float | None]]:
    """What stands in a table: by the names of row and column, the numbers behind what is written."""
    heads = [head.text for head in table.head]
    names = [row[0].text for row in table.rows]
    assert len(set(names)) == len(names)
    return {row[0].text: dict(zip(heads[1:], [c.value for c in row[1:]], strict=True)) for row in table.rows}


def titled(part: Any, title: str) -> Table:
    [table] = [table for table in (*part.beside, *part.tables) if table.title == title]
    return table


def group(source: str) -> str:
    return "price and FX" if source in MARKET else "income" if source in INCOME else "costs"


def summed(amounts: Any) -> dict[str, dict[str, float]]:
    """Sums by row and group of (row, source, amount), and of all rows."""
    out: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row, source, amount in amounts:
        for name in (row, "total"):
            for column in (group(source), "total"):
                out[name][column].append(float(amount))
    return {name: {key: math.fsum(own[key]) for key in GROUPS} for name, own in out.items()}


def check(table: Table, expected: dict[str, dict[str, float]], columns: list[str]) -> None:
    """Every row that is expected is there, whole; the rest is nothing. The last row is the total."""
    told = figures(table)
    assert list(told)[-1] == "total"
    assert table.foot == 1
    assert set(expected) <= set(told)
    for name, row in told.items():
        for column in columns:
            value = expected.get(name, dict.fromkeys(columns, 0.0))[column]
            assert row[column] == pytest.approx(value, abs=0.5 + 1e-6), (name, column)


def by_line(ledger: Any) -> Any:
    """What the ledger recorded of each line, and of balances: (line or None, source, amount)."""
    for (name, k), amounts in naive.by_line(ledger, SOURCES).items():
        yield (k if k < len(ledger.lines.symbols) else None), name, math.fsum(amounts)


def whole(found: Findings) -> float:
    return float(found.ledger.equity.iloc[-1] - found.ledger.capital)


# -- where and when ------------------------------------------------------------------------------------------


def check_pairs(found: Findings) -> None:
    ledger = found.ledger
    owner = {}
    for k in range(len(ledger.lines.symbols)):
        owner[k] = "single lines"
    for (hk, adr), legs in zip(ledger.lines.pairs, ledger.lines.legs, strict=True):
        owner |= dict.fromkeys(map(int, legs), f"{hk} / {adr}")
    booked = list(by_line(ledger))
    rows = ((owner[k] if k is not None else "cash", source, amount) for k, source, amount in booked)
    table = titled(detail.attribution(found), "By pair")
    expected = summed(rows)
    check(table, expected, GROUPS)
    told = figures(table)
    legs: dict[int | None, float] = defaultdict(float)
    for k, _, amount in booked:
        legs[k] += amount
    for (hk, adr), pair in zip(ledger.lines.pairs, ledger.lines.legs, strict=True):
        row = told[f"{hk} / {adr}"]
        assert row["Hong Kong leg"] == pytest.approx(legs[int(pair[0])], abs=0.5001)
        assert row["ADR leg"] == pytest.approx(legs[int(pair[1])], abs=0.5001)
    for name in {"single lines", "cash"} & set(told):
        assert told[name]["Hong Kong leg"] is told[name]["ADR leg"] is None
    assert told["total"]["total"] == pytest.approx(whole(found), abs=0.51)


def check_sectors(found: Findings) -> None:
    market = found.ledger.market
    words = {s: re.split("[;:]", str(w))[0].strip() for s, w in market.instruments["sector"].items()}

    def rows() -> Any:
        for (source, name), column in found.ledger.contributions.items():
            word = "cash" if name.startswith("cash:") else words[name]
            yield (
                {"it": "IT", "broad": "broad market"}.get(word, word.replace("_", " ")),
                source,
                column.sum(),
            )

    check(titled(detail.attribution(found), "By sector"), summed(rows()), GROUPS)


def check_years(found: Findings) -> None:
    ledger, grid = found.ledger, found.ledger.market.grid
    session, at = list(grid["session"]), np.asarray(ledger.market.decision_steps)
    year = []
    for t in range(len(grid)):
        end = next((s for s in range(t, len(grid)) if at[s]), t)
        year.append(str(session[end].year))
    booked, equity = ledger.contributions.to_numpy(), list(ledger.equity)
    sources = list(ledger.contributions.columns.get_level_values("source"))
    rows = ((year[t], s, booked[t, j]) for t in range(len(grid)) for j, s in enumerate(sources))
    table = titled(detail.attribution(found), "By year")
    check(table, summed(rows), GROUPS)
    told, before = figures(table), ledger.capital
    for name in dict.fromkeys(year):
        after = equity[max(t for t in range(len(year)) if year[t] == name)]
        assert told[name]["equity at end"] == pytest.approx(after, abs=0.5001)
        if before > 0:
            assert told[name]["Return [%]"] == pytest.approx(100 * (after / before - 1), rel=1e-9, abs=1e-9)
        else:
            assert math.isnan(told[name]["Return [%]"])
        before = after
    assert told["total"]["equity at end"] == pytest.approx(equity[-1], abs=0.5001)
    assert told["total"]["Return [%]"] == pytest.approx(100 * (equity[-1] / ledger.capital - 1), rel=1e-9)


@pytest.mark.parametrize("one", [check_pairs, check_sectors, check_years])
def test_where_and_when_is_what_was_booked(found: Findings, one: Any) -> None:
    one(found)


@pytest.mark.parametrize("seed", SEEDS)
def test_where_and_when_in_drawn_worlds(seed: int) -> None:
    found = gather(world(seed))
    assert (world(seed).ruined_at is not None) == (seed in RUINED)
    check_pairs(found)
    check_sectors(found)
    check_years(found)


def test_all_totals_are_the_whole(found: Findings) -> None:
    """To the unit: totals are of what was booked, not of what is shown rounded."""
    every = {
        table.title: table
        for part in (detail.attribution(found), sections.contributions(found), sections.events(found))
        for table in part.tables
        if table.foot and table.title != "By event"
    }
    assert len(every) == 7
    for title, table in every.items():
        [*_, last] = table.rows
        shown = figures(table)["total"]
        assert (shown.get("total") or shown["all"]) == np.round(whole(found)), title
        assert [cell for cell in last if cell.text == f"{whole(found):,.0f}".replace("-", "\u2212")], title
    parts = figures(titled(sections.regimes(found), "By regime and source"))
    assert sum(parts["total"][name] for name in found.names) == pytest.approx(whole(found), abs=2)
    assert parts["total"]["total"] == np.round(whole(found))


def test_kinds_of_event_are_those_of_the_calendar(found: Findings) -> None:
    table = figures(titled(sections.events(found), "By kind of event"))
    wanted = {
        f"{channel.replace('_', ' ')} {'escalation' if direction > 0 else 'relief'}"
        for channel, direction in zip(found.calendar["channel"], found.calendar["direction"], strict=True)
    }
    assert set(table) <= wanted | {"no event", "total"}
    own = event_sources(found.ledger, found.calendar, by=["channel", "direction"])
    for kind in ("tariff escalation", "tariff relief", "export_control relief"):
        booked = own.loc[kind].drop("total")
        expected = summed((kind, source, amount) for source, amount in booked.items())[kind]
        for name, amount in expected.items():
            assert table[kind.replace("_", " ")][name] == pytest.approx(amount, abs=0.5001), name
    assert len(table) > 6
    by_event = found.event["P&L"]
    calm = table["no event"]["total"]
    assert calm == pytest.approx(by_event["no event"], abs=0.5001)
    assert table["total"]["total"] - calm == pytest.approx(by_event.drop("no event").sum(), abs=1.1)


def test_glance_tells_pairs_from_other_lines(run: ep.Result, found: Findings) -> None:
    made = by_pair(run)["total"]
    paired = math.fsum(made[name] for name in made.index if "/" in name)
    shown = re.search(r"Pairs (\S+), lines held singly (\S+)\. ", payers(found))
    assert shown is not None
    for text, value in zip(shown.groups(), (paired, made["single lines"]), strict=True):
        size = {"k": 1e3, "m": 1e6}.get(text[-1], 1.0)
        number = float(text.replace("\u2212", "-").rstrip("km")) * size
        assert number == pytest.approx(value, rel=0.01)
    only = gather(ep.backtest(run.market, ep.LongHKShortADR()))
    assert "singly" not in payers(only)


# -- how sure it is ------------------------------------------------------------------------------------------


def test_how_sure_is_what_the_functions_say(run: ep.Result, found: Findings) -> None:
    part = detail.doubt(found, None)
    own = intervals(run)
    told = figures(titled(part, "Intervals"))
    for name, row in own.iterrows():
        assert told[name] == {column: pytest.approx(row[column], rel=1e-12) for column in own.columns}
        assert row["low"] <= row["high"]
    assert own.loc["Sharpe Ratio", "estimate"] == pytest.approx(found.summary["Sharpe Ratio"])
    low, high = (f"{own.loc['Sharpe Ratio', side]:.2f}".replace("-", "\u2212") for side in ("low", "high"))
    assert f"95% interval, by bootstrap, is {low} to {high}," in belief(found, None)

    excess = excess_returns(run)
    months = [(1 + run.returns).groupby([run.returns.index.year, run.returns.index.month]).prod() - 1]
    rate = (run.returns - excess).groupby([run.returns.index.year, run.returns.index.month])
    monthly = months[0] - ((1 + rate.apply(lambda x: x)).groupby(level=[0, 1]).prod() - 1)
    odds = figures(titled(part, "Odds of the Sharpe ratio"))
    for column, returns, periods in (("by session", excess, 252), ("by month", monthly, 12)):
        expected = sharpe_odds(returns.to_numpy(), periods_per_year=periods)
        for name in ("Sharpe Ratio", "Probabilistic Sharpe", "Minimum Track Record [years]"):
            assert odds[name][column] == pytest.approx(expected[name], nan_ok=True), name
        assert odds["Skew of excess returns"][column] == pytest.approx(expected["Skew"])
        assert odds["Kurtosis of excess returns"][column] == pytest.approx(expected["Kurtosis"])
        assert odds["Observations"][column] == len(returns)
    assert odds["Sharpe Ratio"]["by month"] == pytest.approx(found.summary["Monthly Sharpe"])


def test_counts_are_written_whole(found: Findings, run: ep.Result) -> None:
    table = titled(detail.doubt(found, None), "Odds of the Sharpe ratio")
    [row] = [row for row in table.rows if row[0].text == "Observations"]
    assert [cell.text for cell in row[1:]] == [f"{len(run.returns):,}", f"{len(by_month(run.returns)):,}"]
    assert all(cell.number for cell in table.head[1:])


@pytest.mark.parametrize(
    ("trials", "words"),
    [
        (None, "They take this run for the only one tried."),
        (1, "They take this run for the only one tried."),
        (1200, "1,200 configurations were tried, for which these odds do not correct"),
    ],
)
def test_odds_say_what_was_tried(found: Findings, trials: int | None, words: str) -> None:
    assert words in titled(detail.doubt(found, trials), "Odds of the Sharpe ratio").note


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        ([100, 60, -20, 5, 8], "There are no intervals: "),
        ([100.0] * 40, "There are no intervals: "),
        ([100.0], "There are no intervals: "),
        ([100, np.nan, 101], "There are no intervals: "),
    ],
)
def test_nothing_is_made_up_where_there_is_nothing_to_resample(levels: list[float], words: str) -> None:
    [table] = detail.doubt(gather(doubles.from_equity(levels)), None).tables
    assert table.note.startswith(words)
    assert all(math.isnan(row["low"]) and math.isnan(row["high"]) for row in figures(table).values())


# -- what was held -------------------------------------------------------------------------------------------


def check_held(found: Findings) -> None:
    ledger = found.ledger
    part = detail.held(found)
    own, weights = figures(titled(part, "Exposure, % of equity")), exposures(ledger)
    assert {f"all {side}" for side in ("long", "short", "net", "gross")} <= set(own)
    for leg, side in weights.columns:
        column = 100 * weights[leg, side]
        if f"{leg} {side}" not in own:  # nothing that the rows before do not say
            assert leg != "all"
            assert side in ("net", "gross") or not column.any()
            continue
        assert own[f"{leg} {side}"] == spread(column)
    for name, row in figures(titled(part, "Assets by currency, % of equity")).items():
        assert row == spread(100 * currency_exposures(ledger)[name])
    traded, table = turnover_by(ledger, "year"), figures(titled(part, "Traded by year"))
    for period, row in traded.iterrows():
        for column, value in row.items():
            shown = table[str(period)][column]
            near = {"rel": 1e-9} if column == "Turnover" else {"abs": 0.5001}
            assert shown == pytest.approx(value, nan_ok=True, **near)
    fills = ledger.fills
    value = math.fsum(fills["notional"] * fills["fx"])
    assert math.fsum(row["Traded"] for row in table.values()) == pytest.approx(value, abs=len(table))
    shown = {row[0].text: row[1] for row in titled(part, "Holdings").rows}
    for name, figure in holdings(ledger).items():
        if isinstance(figure, int | float):
            assert shown[name].value == pytest.approx(figure, nan_ok=True)
    assert all(cell.number for cell in shown.values())


def spread(column: pd.Series) -> dict[str, Any]:
    known = [value for value in column if not math.isnan(value)]
    told = {"mean": sum(known) / len(known), "min": min(known), "max": max(known), "last": column.iloc[-1]}
    return {name: pytest.approx(value, nan_ok=True, abs=1e-9) for name, value in told.items()}


def test_what_was_held_is_what_the_functions_say(found: Findings) -> None:
    check_held(found)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_was_held_in_drawn_worlds(seed: int) -> None:
    check_held(gather(world(seed)))


def test_means_of_two_kinds_are_told_apart(found: Findings) -> None:
    """Over all sessions in one table, over those invested in the other; each says which."""
    part = detail.held(found)
    gross = (found.ledger.position_values.abs().sum(axis=1) / found.ledger.equity)[
        found.ledger.market.decision_steps
    ]
    held = {row[0].text: row[1].value for row in titled(part, "Holdings").rows}
    assert held["Mean Gross [%]"] == pytest.approx(100 * gross[gross > 0].mean())
    assert figures(titled(part, "Exposure, % of equity"))["all gross"]["mean"] == pytest.approx(
        100 * gross.mean()
    )
    assert "something was held" in titled(part, "Holdings").note
    assert "nothing held included" in titled(part, "Exposure, % of equity").note


# -- odd runs ------------------------------------------------------------------------------------------------


def test_a_ledger_without_lines_has_what_it_can() -> None:
    found = gather(doubles.simulated())
    assert found.pair is None
    assert detail.held(found).empty
    titles = [table.title for table in detail.attribution(found).tables]
    assert titles == ["By sector", "By year"]
    check_sectors(found)
    check_years(found)
    assert "singly" not in payers(found)


def test_a_run_without_a_trade(run: ep.Result) -> None:
    market = run.market
    nothing = pd.DataFrame({"KWEB": [0.0]}, index=[market.grid["session"].iloc[5]])
    found = gather(ep.backtest(market, nothing))
    every = sections_of(
        found, sensitivity=None, extra=None, others=(), trials=None, provenance=None, rows=20
    )  # fmt: skip
    assert {"attribution", "doubt", "holdings"} <= {part.anchor for part in every}
    check_years(found)
    check_pairs(found)
    shown = figures(titled(detail.held(found), "Exposure, % of equity"))
    assert all(value == 0 for row in shown.values() for value in row.values())


def test_sectors_have_words_for_readers() -> None:
    assert [detail.sector_name(word) for word in ("it", "broad", "consumer_discretionary", "<b>", 5)] == [
        "IT", "broad market", "consumer discretionary", "<b>", "5",
    ]  # fmt: skip


class Odd:
    """A plan whose name and parameters are markup."""

    def __init__(self) -> None:
        self.word = '"><img src=x onerror=alert(1)>'

    def targets(self, market: ep.Market, path: Any = None) -> Any:
        return ep.LongHKShortADR(lookback=20).targets(market, path)


def test_words_of_market_and_plan_are_escaped(run: ep.Result, tmp_path: Any) -> None:
    word = "<img src=x onerror=alert(1)>\x1b: second"
    market = replace(run.market, instruments=run.market.instruments.assign(sector=word, company=word))
    odd = ep.backtest(market, type("<b>Odd</b>", (Odd,), {})())
    page = odd.report(tmp_path / "a.html", provenance={word: word}).read_text("utf-8")
    assert "<img" not in page
    assert "<b>" not in page
    assert page.count("&lt;img src=x onerror=alert(1)&gt;\ufffd</th>") == 1  # the sector, its first level
    assert "&lt;b&gt;Odd&lt;/b&gt;" in page
    assert odd.report(tmp_path / "a.pdf", provenance={word: word}).is_file()
