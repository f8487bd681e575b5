"""The whole job: it cannot see the future, its legs are equal, and bad input stops it cleanly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import entrepot as ep
from entrepot.cli import main
from entrepot.commands.demo import _show_notes
from entrepot.job import default_plan, pair_fill_timing, run_main_job

START, END = "2019-06-03", "2022-12-30"


@pytest.fixture(scope="module")
def events() -> ep.Events:
    return ep.load_events()


@pytest.fixture(scope="module")
def simulated(events: ep.Events) -> ep.Market:
    return ep.simulate_market(start=START, end=END, seed=11, events=events.frame)


@pytest.fixture(scope="module")
def real(real_prices: Path) -> ep.Market:
    return ep.load_market(real_prices, start="2019-06-03", ends="cut", departures="parity")


def job(market: ep.Market, events: ep.Events) -> tuple[ep.RegimePath, ep.Targets, ep.Result]:
    path = ep.RegimeModel().walk_forward(market, events)
    plan = default_plan(path)
    return path, plan.targets(market), ep.backtest(market, plan, check=True)


def cut_changes_nothing(market: ep.Market, events: ep.Events, steps: list[int]) -> None:
    """Remove prices, fixings, actions and events after a step: everything up to it is the same bits."""
    path, targets, result = job(market, events)
    assert len(result.fills) > 100
    for step in steps:
        known = events.known_by(market.grid["time"].iloc[step])
        part_path, part_targets, part = job(market.until(step), known)
        stop = step + 1
        np.testing.assert_array_equal(part_path.states, path.states[:stop])
        np.testing.assert_array_equal(part_path.probabilities, path.probabilities.iloc[:stop])
        np.testing.assert_array_equal(part_targets.weights, targets.weights[:stop])
        for column, pair in enumerate(part_targets.pairs):
            whole = targets.pair_weights[:stop, targets.pairs.index(pair)]
            np.testing.assert_array_equal(part_targets.pair_weights[:, column], whole)
            ways = targets.exits[:stop, targets.pairs.index(pair)]
            np.testing.assert_array_equal(part_targets.exits[:, column], ways)
        np.testing.assert_array_equal(part.equity_by_step, result.equity_by_step[:stop])
        earlier = result.fills[result.fills["step"] <= step].reset_index(drop=True)
        order = ["step", "symbol", "pair", "reason"]
        pd.testing.assert_frame_equal(
            part.fills.sort_values(order, ignore_index=True),
            earlier.sort_values(order, ignore_index=True),
            check_exact=True,
        )


def random_steps(market: ep.Market, count: int, seed: int) -> list[int]:
    return sorted(np.random.default_rng(seed).integers(400, len(market) - 1, count).tolist())


def test_the_simulated_job_does_not_see_past_a_cut(simulated: ep.Market, events: ep.Events) -> None:
    cut_changes_nothing(simulated, events, random_steps(simulated, 8, seed=1))


def test_the_real_job_does_not_see_past_a_cut(real: ep.Market, events: ep.Events) -> None:
    cut_changes_nothing(real, events, random_steps(real, 5, seed=2))


def test_fills_come_after_their_decision_at_their_own_venue(simulated: ep.Market, events: ep.Events) -> None:
    _, _, result = job(simulated, events)
    fills = result.fills
    assert (fills["step"] > fills["decided_step"]).all()
    assert (fills["venue"] == simulated.instruments["venue"].reindex(fills["symbol"]).to_numpy()).all()
    prints = simulated.prices[fills["step"], [simulated.column(s) for s in fills["symbol"]]]
    np.testing.assert_array_equal(fills["price"], prints)


def test_the_two_legs_of_a_pair_are_equal_ordinary_shares(simulated: ep.Market, events: ep.Events) -> None:
    _, _, result = job(simulated, events)
    hedges = result.fills[result.fills["reason"] == "hedge"]
    assert len(hedges) > 50
    held = result.record.positions
    for p, (hk, adr) in enumerate(result.lines.legs):
        done = hedges["step"][hedges["pair"] == result.lines.pairs[p][1]].to_numpy(dtype=np.int64)
        ratio = simulated.ordinary_per_ads[result.lines.pairs[p][1]].to_numpy()[done]
        np.testing.assert_allclose(held[done, hk], -held[done, adr] * ratio, atol=1e-6)


@pytest.fixture(scope="module")
def outcome(simulated: ep.Market, tmp_path_factory: pytest.TempPathFactory):
    return run_main_job(lambda events: simulated, tmp_path_factory.mktemp("job") / "deep" / "out")


def test_the_job_writes_its_report_and_its_page(outcome) -> None:
    page = outcome.report.read_text(encoding="utf-8")
    assert page.lstrip().lower().startswith("<!doctype html>")
    assert "simulated" in page.lower()
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert outcome.tear_sheet.read_bytes().startswith(b"\x89PNG")
    assert sorted(p.name for p in outcome.report.parent.iterdir()) == ["report.html", "tear_sheet.png"]


def test_dearer_borrow_costs_more_and_no_borrow_opens_no_short(outcome) -> None:
    borrow = outcome.sensitivity["Borrow Paid"].astype(float)
    assert list(borrow.index) == [
        "borrow as given",
        "calm borrow throughout",
        "borrow x3",
        "no new shorts under delisting risk",
        "shorts recalled under delisting risk",
        "exits by whichever is cheaper",
    ]
    given = borrow["borrow as given"]
    assert borrow["borrow x3"] == pytest.approx(3 * given, rel=0.1)
    assert borrow["calm borrow throughout"] < 0.9 * given
    assert (
        borrow["shorts recalled under delisting risk"] < borrow["no new shorts under delisting risk"] < given
    )


def test_exits_by_whichever_is_cheaper_convert_some_pairs_and_trade_less(outcome) -> None:
    market, path = outcome.result.market, outcome.result.path
    cheaper = ep.backtest(market, default_plan(path, exit_by="cheapest"), check=True)
    assert (cheaper.conversions["reason"] == "chosen").sum() > 10
    assert not (outcome.result.conversions["reason"] == "chosen").any()
    row = outcome.sensitivity.loc["exits by whichever is cheaper"]
    assert row["Total Return [%]"] == cheaper.summary()["Total Return [%]"]
    for kind in ("stamp_duty", "slippage"):
        assert cheaper.costs()[kind] < outcome.result.costs()[kind]


def test_fills_at_the_signals_own_closes_flatter_the_trade(outcome) -> None:
    """The premium of the simulated market is half overnight news too: the profit is in the stale price."""
    timing = outcome.timing.dropna()
    assert (timing["own closes"] > timing["next step"] + 1.0).all()


def test_the_real_pairs_show_the_same(real: ep.Market) -> None:
    """Sharpe ratios of 3 to 4 at the signal's own closes fall below 2 at each venue's next step."""
    timing = pair_fill_timing(real)
    print(timing.to_string(float_format="{:.2f}".format))  # noqa: T201 - the figures are asked for
    busy = timing[timing["round trips"] >= 30]
    assert len(busy) >= 8
    assert (busy["own closes"] > 2.5).all()
    assert (busy["next step"] < 2.0).all()


# -- the command line ----------------------------------------------------------------------------------------


def test_the_command_runs_as_a_newcomer_would(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "entrepot",
            "demo",
            "--start",
            "2021-01-04",
            "--end",
            "2022-06-30",
            "--out",
            "there",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "simulated" in done.stdout
    assert "Sharpe Ratio" in done.stdout
    assert (tmp_path / "there" / "report.html").stat().st_size > 100_000


@pytest.mark.parametrize(
    "arguments",
    [
        ["--prices", "nowhere"],
        ["--prices", "."],
        ["--start", "2025-01-01", "--end", "2020-01-01"],
        ["--start", "yesterday"],
        ["--out", "a_file"],
        ["--out", "a_file/x"],
        ["--out", ""],
        ["--out", "/proc/xx"],
        ["--out", "x" * 300],
        ["--start", "yesterday", "--out", "new/deep"],
    ],
)
def test_bad_input_ends_with_one_sentence_and_nothing_written(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a_file").write_text("in the way")
    assert main(["demo", *arguments]) == 2
    spoken = capsys.readouterr()
    assert spoken.out == ""
    assert spoken.err.startswith("entrepot: ")
    assert spoken.err.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a_file"]


@pytest.fixture
def no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object, **named: object) -> None:
        raise AssertionError("the run began")

    monkeypatch.setattr("entrepot.job.load_events", refuse)


@pytest.mark.usefixtures("no_run")
@pytest.mark.parametrize("out", ["", "a_file", "a_file/x", "/proc/xx", "x" * 300, "full"])
def test_a_folder_that_cannot_be_used_is_refused_before_the_run(
    out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a_file").write_text("in the way")
    (tmp_path / "full" / "report.html").mkdir(parents=True)
    assert main(["demo", "--out", out]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert [p.name for p in (tmp_path / "full").iterdir()] == ["report.html"]


def test_an_interrupt_prints_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("entrepot.job.load_events", interrupt)
    assert main(["demo", "--out", str(tmp_path / "out")]) == 130
    assert capsys.readouterr().err == "entrepot: interrupted\n"
    assert not list(tmp_path.iterdir())


def test_a_short_run_before_most_listings_is_shown_for_people(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo", "--end", "2018-06-01", "--out", str(tmp_path)]) == 0
    spoken = capsys.readouterr().out
    rows = {line[:24].strip(): line[24:].strip() for line in spoken.splitlines()}
    assert rows["Start Value"] == "10,000,000"
    assert rows["Period"] == "150 days"
    assert "Undefined" not in rows
    assert "NaN" not in spoken
    assert spoken.index("Sharpe Ratio") < spoken.index("notes on the market")
    assert "risk figures use session returns by the regime decided at the close before" in spoken


def test_many_notes_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    _show_notes("market", ["a note"] * 80)
    assert capsys.readouterr().out == "80 notes on the market, all of them in the report\n\n"


def test_where_the_market_was_cut_is_said_among_many_notes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    market = ep.simulate_market("2022-01-03", "2022-03-31", symbols=["KWEB", "FXI"])
    price = market.price.set_axis(market.grid["session"]).rename_axis("Date")
    for symbol, days in {"KWEB": 120, "FXI": 80}.items():
        line = price[symbol].dropna().groupby(level=0).last().rename("Close")
        line.head(days // 2).to_csv(tmp_path / f"{symbol}.csv")
    _show_notes("market", ["a note"] * 80 + list(ep.load_market(tmp_path, ends="cut").notes))
    said = capsys.readouterr().out
    assert "notes on the market, all of them in the report\n  The market ends 2022-" in said
    assert said.count("\n") == 3


def test_the_help_says_that_files_are_replaced(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["demo", "--help"])
    assert "replaced" in capsys.readouterr().out
