"""Regime models, detectors, tariff levels and news indices that know nothing or too much."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from robustness.cases import Case
from robustness.small import market, path

import entrepot as ep
from entrepot.errors import DataError, EntrepotError, ParameterError

EVENTS = ep.load_events()
NOISE = np.random.default_rng(0).standard_normal(120)
LEVEL = {
    "series": "us_a",
    "effective_from": "2021-02-01",
    "rate_pct": 10,
    "scope": "all",
    "source_ref": "law",
}
HEADER = "series,effective_from,effective_to,rate_pct,scope,source_ref"


def levels(*rows: dict[str, Any]) -> ep.TariffLevels:
    return ep.TariffLevels(pd.DataFrame([LEVEL | row for row in rows]))


def written(folder: Path, text: str | bytes, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def level_file(folder: Path, *rows: str) -> ep.TariffLevels:
    return ep.load_tariff_levels(written(folder, "".join(f"{line}\n" for line in (HEADER, *rows))))


def walked(**parts: Any) -> ep.RegimePath:
    return ep.RegimeModel(**parts).walk_forward(market(), EVENTS, progress=False)


BAD_REGIMES: dict[str, tuple[Callable[[], Any], type[EntrepotError], str]] = {
    "threshold: nothing": (lambda: ep.ThresholdDetector(threshold=0), ParameterError, "threshold is 0"),
    "threshold: below nothing": (
        lambda: ep.ThresholdDetector(threshold=-1),
        ParameterError,
        "threshold is -1",
    ),
    "threshold: that no float holds": (
        lambda: ep.ThresholdDetector(threshold=10**400),
        ParameterError,
        "threshold is",
    ),
    "threshold: in words": (
        lambda: ep.ThresholdDetector(threshold="2.5"),
        ParameterError,
        "threshold is '2.5'",
    ),
    "threshold: that is missing": (
        lambda: ep.ThresholdDetector(threshold=np.nan),
        ParameterError,
        "threshold is nan",
    ),
    "an exit above the entry": (
        lambda: ep.ThresholdDetector(exit_ratio=1.5),
        ParameterError,
        "exit_ratio is 1.5",
    ),
    "a half-life without end": (
        lambda: ep.ThresholdDetector(half_life=np.inf),
        ParameterError,
        "half_life is inf",
    ),
    "a half-life in a fraction of Python": (
        lambda: ep.ThresholdDetector(half_life=__import__("fractions").Fraction(1, 2)),
        ParameterError,
        "half_life is Fraction(1, 2)",
    ),
    "a dwell below nothing": (lambda: ep.ThresholdDetector(dwell=-1), ParameterError, "dwell is -1"),
    "a dwell of a truth": (lambda: ep.ThresholdDetector(dwell=True), ParameterError, "dwell is True"),
    "intensities below nothing": (
        lambda: ep.ThresholdDetector().filter(None, np.full((3, 2), -1.0)),
        ParameterError,
        "intensity must be finite and at least 0 everywhere",
    ),
    "intensities of one side": (
        lambda: ep.ThresholdDetector().filter(None, np.zeros((3, 1))),
        ParameterError,
        "intensity has shape (3, 1)",
    ),
    "markov: one state": (lambda: ep.MarkovDetector(states=1), ParameterError, "states is 1"),
    "markov: states without end": (lambda: ep.MarkovDetector(states=10**400), ParameterError, "states is"),
    "markov: an unknown family": (
        lambda: ep.MarkovDetector(family="cauchy"),
        ParameterError,
        "family='cauchy' is unknown",
    ),
    "markov: families in an array": (
        lambda: ep.MarkovDetector(family=np.array(["normal", "student"])),
        ParameterError,
        "family=array(['normal', 'student'], dtype='<U7') is unknown",
    ),
    "markov: a family that is missing": (
        lambda: ep.MarkovDetector(family=pd.NA),
        ParameterError,
        "family=<NA> is unknown",
    ),
    "markov: stress by a frame": (
        lambda: ep.MarkovDetector(stress_by=pd.DataFrame({"a": [1]})),
        ParameterError,
        "stress_by=a 0 1 is unknown",
    ),
    "markov: tails without a mean": (
        lambda: ep.MarkovDetector(family="student", nu=2.0),
        ParameterError,
        "nu is 2.0",
    ),
    "markov: levels crossed": (
        lambda: ep.MarkovDetector(enter=0.2, leave=0.8),
        ParameterError,
        "enter is 0.2 and leave is 0.8",
    ),
    "markov: a probability of 80": (
        lambda: ep.MarkovDetector(enter=80, leave=20),
        ParameterError,
        "enter is 80 and leave is 20",
    ),
    "markov: a seed below nothing": (lambda: ep.MarkovDetector(seed=-1), ParameterError, "seed is -1"),
    "markov: a seed of a hundred digits": (
        lambda: ep.MarkovDetector(seed=10**100),
        ParameterError,
        "seed is",
    ),
    "markov: no observations": (
        lambda: ep.MarkovDetector().fit([]),
        DataError,
        "y has 0 rows that are not missing, and 2 states need 40",
    ),
    "markov: observations in words": (
        lambda: ep.MarkovDetector().fit(["a"] * 90),
        ParameterError,
        "y is ['a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a', 'a',",
    ),
    "markov: observations that do not vary": (
        lambda: ep.MarkovDetector().fit(np.ones(90)),
        DataError,
        "y is 1 in every row",
    ),
    "markov: an infinite observation": (
        lambda: ep.MarkovDetector().fit(np.append(NOISE, np.inf)),
        ParameterError,
        "y is infinite at row 120",
    ),
    "markov: all missing": (
        lambda: ep.MarkovDetector().fit(np.full(90, np.nan)),
        DataError,
        "all 90 rows of y are missing",
    ),
    "markov: another length of intensities": (
        lambda: ep.MarkovDetector().fit(NOISE, np.zeros(5)),
        ParameterError,
        "intensity has shape (5, 1) beside 120 observations",
    ),
    "markov: a missing intensity": (
        lambda: ep.MarkovDetector().fit(NOISE, np.full(120, np.nan)),
        ParameterError,
        "intensity is missing or infinite at row 0",
    ),
    "markov: not fitted": (
        lambda: ep.MarkovDetector().filter(NOISE),
        ParameterError,
        "this MarkovDetector has learned nothing yet",
    ),
    "markov: another kind before": (
        lambda: ep.MarkovDetector().fit(NOISE, previous=ep.JumpDetector()),
        ParameterError,
        "previous is a JumpDetector",
    ),
    "jump: one state": (lambda: ep.JumpDetector(states=1), ParameterError, "states is 1"),
    "jump: a penalty below nothing": (lambda: ep.JumpDetector(penalty=-1), ParameterError, "penalty is -1"),
    "jump: a number for half-lives": (
        lambda: ep.JumpDetector(downside_half_lives=10.0),
        ParameterError,
        "downside_half_lives is 10.0",
    ),
    "jump: no starts": (lambda: ep.JumpDetector(starts=0), ParameterError, "starts is 0"),
    "jump: a feature there is not": (
        lambda: ep.JumpDetector(stress_by=99).fit(NOISE),
        ParameterError,
        "stress_by is 99, but there are 3 features",
    ),
    "jump: not fitted": (
        lambda: ep.JumpDetector().filter(NOISE),
        ParameterError,
        "this JumpDetector has learnt nothing yet",
    ),
    "change points: runs of one": (
        lambda: ep.ChangePointDetector(expected_run=1),
        ParameterError,
        "expected_run is 1",
    ),
    "change points: fewer runs than are recent": (
        lambda: ep.ChangePointDetector(recent=20, most_runs=10),
        ParameterError,
        "most_runs is 10",
    ),
    "change points: a prior in words": (
        lambda: ep.ChangePointDetector(prior="flat"),
        ParameterError,
        "prior is 'flat'",
    ),
    "a process that explodes": (lambda: ep.Hawkes(0.02, branching=1.0), ParameterError, "branching is 1.0"),
    "a process without a base": (lambda: ep.Hawkes(0.0, 0.5), ParameterError, "base is 0.0"),
    "a schedule of nothing": (lambda: ep.Schedule(every=0), ParameterError, "every is 0"),
    "a schedule that no integer holds": (lambda: ep.Schedule(every=10**400), ParameterError, "every is"),
    "a window below the first fit": (
        lambda: ep.Schedule(least=500, window=100),
        ParameterError,
        "window is 100",
    ),
    "a model: a class": (
        lambda: ep.RegimeModel(delisting=ep.MarkovDetector),
        ParameterError,
        "delisting is the class MarkovDetector",
    ),
    "a model: a word": (lambda: ep.RegimeModel(tariff="threshold"), ParameterError, "tariff is 'threshold'"),
    "a model: unknown marks": (
        lambda: ep.RegimeModel(marks="double"),
        ParameterError,
        "marks='double' is not a policy; use one of capped, severity,",
    ),
    "a model: a frame of observations": (
        lambda: ep.RegimeModel(delisting_observation=pd.DataFrame({"value": [1.0]})),
        ParameterError,
        "delisting_observation is a DataFrame",
    ),
    "a model: covariates in a number": (
        lambda: ep.RegimeModel(tariff_covariates=5),
        ParameterError,
        "tariff_covariates is 5",
    ),
    "a model: no market": (
        lambda: ep.RegimeModel().walk_forward(None, EVENTS),
        ParameterError,
        "walk_forward was given None and an Events",
    ),
    "a model: no calendar": (
        lambda: ep.RegimeModel().walk_forward(market(), None),
        ParameterError,
        "walk_forward was given a Market and None",
    ),
    "a model: market and calendar swapped": (
        lambda: ep.RegimeModel().walk_forward(EVENTS, market()),
        ParameterError,
        "walk_forward was given an Events and a Market",
    ),
    "a model: too short a market": (
        lambda: walked(delisting=ep.MarkovDetector(), schedule=ep.Schedule(least=5000)),
        ParameterError,
        "the delisting detector is first fitted after 5000 observations",
    ),
    "a model: observations of nothing": (
        lambda: walked(delisting=ep.MarkovDetector(), delisting_observation=lambda m: None),
        DataError,
        "delisting_observation returned None",
    ),
    "a path: half a step": (lambda: path().until(0.5), ParameterError, "step is 0.5"),
    "a path: a step after its end": (
        lambda: path().until(10**6),
        ParameterError,
        "step 1000000 is outside the path of 324 steps; use 0 to 323",
    ),
    "levels: nothing": (lambda: ep.TariffLevels(None), ParameterError, "frame is None"),
    "levels: no source": (lambda: levels({"source_ref": ""}), DataError, "tariff levels row 0 (us_a)"),
    "levels: a blank series": (lambda: levels({"series": " "}), DataError, "tariff levels row 0 (no series)"),
    "levels: a sum as a series": (lambda: levels({"series": "us"}), DataError, "tariff levels row 0 (us)"),
    "levels: a rate in words": (lambda: levels({"rate_pct": "ten"}), DataError, "tariff levels row 0 (us_a)"),
    "levels: a rate below nothing": (
        lambda: levels({"rate_pct": -1}),
        DataError,
        "tariff levels row 0 (us_a)",
    ),
    "levels: a rate of 5,000": (lambda: levels({"rate_pct": 5000}), DataError, "tariff levels row 0 (us_a)"),
    "levels: a rate that no float holds": (
        lambda: levels({"rate_pct": 10**400}),
        DataError,
        "tariff levels row 0 (us_a)",
    ),
    "levels: a date in words": (
        lambda: levels({"effective_from": "soon"}),
        DataError,
        "tariff levels row 0 (us_a)",
    ),
    "levels: a date the other way round": (
        lambda: levels({"effective_from": "01-02-2021"}),
        DataError,
        "tariff levels row 0 (us_a)",
    ),
    "levels: a time": (
        lambda: levels({"effective_from": pd.Timestamp("2021-02-01 12:00")}),
        DataError,
        "tariff levels row 0 (us_a)",
    ),
    "levels: an end before the start": (
        lambda: levels({"effective_to": "2020-01-01"}),
        DataError,
        "tariff levels row 0 (us_a)",
    ),
    "levels: an end without a start": (
        lambda: levels({"effective_from": "", "effective_to": "2021-03-01"}),
        DataError,
        "tariff levels row 0 (us_a)",
    ),
    "levels: two rates on a day": (
        lambda: levels({}, {"effective_from": "2021-02-05"}),
        DataError,
        "tariff levels row 1 (us_a)",
    ),
    "levels: more goods than there are": (
        lambda: levels({"scope": "US$600bn"}),
        DataError,
        "tariff levels row 0 (us_a)",
    ),
    "levels: goods in other words": (
        lambda: levels({"scope": "$34 billion"}),
        DataError,
        "tariff levels row 0 (us_a)",
    ),
    "levels: half a character": (
        lambda: ep.TariffLevels(pd.DataFrame([LEVEL], dtype=object).replace("law", "\ud800")),
        DataError,
        "the table of tariff levels holds half a character; correct that",
    ),
    "levels: an unknown series": (
        lambda: levels({}).level(market().grid, "taxes"),
        ParameterError,
        "unknown series taxes; use some of us_a, us, us_headline",
    ),
    "levels: no series": (lambda: levels({}).level(market().grid, []), ParameterError, "series is []"),
    "levels: a series in an array without length": (
        lambda: levels({}).level(market().grid, np.array("us_a")),
        ParameterError,
        "series is a ndarray",
    ),
    "levels: no grid": (lambda: levels({}).level(None), ParameterError, "the grid is None"),
}


def twice(given: ep.Market) -> pd.DataFrame:
    """Observations whose numbers stand in two columns of one name."""
    rows = ep.regimes.observations.basket_return(given)
    return pd.concat([rows[["value"]], rows], axis=1)


@dataclass(kw_only=True, eq=False)
class Telling(ep.ProbabilityDetector):
    """A detector of one's own whose answers are made of the right ones."""

    told: Callable[[Any], Any] = np.array
    on: Callable[[Any], Any] = np.array

    def fit(self, y: Any, intensity: Any = None, previous: Any = None) -> Telling:
        return self

    def filter(self, y: Any, intensity: Any = None) -> Any:
        return self.told(np.full((len(intensity), 2), 0.5))

    def update(self, y: Any, intensity: Any = None) -> Any:
        return self.filter(y, [intensity])[0]

    def switch(self, *given: Any) -> Any:
        return self.on(super().switch(*given))


def told(what: Callable[[Any], Any], observed: bool = True) -> ep.RegimePath:
    detector = Telling(told=what)
    detector.needs_observations = observed
    return walked(tariff=detector, schedule=ep.Schedule(least=30))


def known_from(early: pd.Timedelta) -> Callable[[ep.Market], pd.DataFrame]:
    """Observations, one of which was known so long after its day began in UTC."""

    def rows(given: ep.Market) -> pd.DataFrame:
        frame = ep.regimes.observations.basket_return(given)
        known_at = frame["known_at"].copy()
        known_at.iloc[5] = frame.index[5].tz_localize("UTC") + early
        return frame.assign(known_at=known_at)

    return rows


def outside(p: Any) -> Any:
    return np.column_stack([-p[:, 0], 1 + p[:, 0]])


OUTSIDE = "Telling.filter returned -0.5 in row 0: return probabilities from 0 to 1"
BAD_REGIMES |= {
    "a detector: chances beyond 0 and 1": (lambda: told(outside), DataError, OUTSIDE),
    "a detector: chances beyond 0 and 1 at every step": (
        lambda: told(outside, observed=False),
        DataError,
        OUTSIDE,
    ),
    "a detector: infinite chances": (
        lambda: told(lambda p: p + np.inf),
        DataError,
        "Telling.filter returned inf in row 0",
    ),
    "a detector: chances of stress alone": (
        lambda: told(lambda p: p[:, 1]),
        DataError,
        "Telling.filter returned an array of shape (52,): return a probability of each state in each",
    ),
    "a detector: chances of stress alone at every step": (
        lambda: told(lambda p: p[:, 1], observed=False),
        DataError,
        "Telling.filter returned an array of shape (324,): return a probability of each state in each",
    ),
    "a detector: a row too few": (
        lambda: told(lambda p: p[1:]),
        DataError,
        "Telling.filter returned an array of shape (51, 2): return a probability of each state in each",
    ),
    "a detector: no state": (
        lambda: told(lambda p: p[:, :0]),
        DataError,
        "Telling.filter returned an array of shape (52, 0)",
    ),
    "a detector: nothing": (
        lambda: told(lambda p: None),
        ParameterError,
        "what Telling.filter returned is None: give a probability of each state in each of",
    ),
    "a detector: words": (
        lambda: told(lambda p: p.astype(str)),
        ParameterError,
        "what Telling.filter returned is a ndarray of <U32: give a probability of each state in each of",
    ),
    "a detector: a step of its switch too few": (
        lambda: walked(tariff=Telling(on=lambda on: on[1:]), schedule=ep.Schedule(least=30)),
        DataError,
        "Telling.switch returned an array of shape (323,): return True or False for each of 324 steps",
    ),
    "a detector: a switch of chances": (
        lambda: walked(tariff=Telling(on=lambda on: on + 0.5), schedule=ep.Schedule(least=30)),
        DataError,
        "Telling.switch returned numbers other than 0 and 1: return True or False for each of 324",
    ),
    "a detector: a switch of nothing": (
        lambda: walked(tariff=Telling(on=lambda on: None), schedule=ep.Schedule(least=30)),
        ParameterError,
        "what Telling.switch returned is None: give True or False for each of 324 steps",
    ),
    "an observation known days before": (
        lambda: walked(tariff=ep.MarkovDetector(), tariff_observation=known_from(pd.Timedelta(-5, "D"))),
        DataError,
        "tariff_observation returned 2021-01-11 known at 2021-01-06 00:00:00+00:00, when that day has yet to",
    ),
    "an observation known as its day begins": (
        lambda: walked(tariff=ep.MarkovDetector(), tariff_observation=known_from(pd.Timedelta(0))),
        DataError,
        "tariff_observation returned 2021-01-11 known at 2021-01-11 00:00:00+00:00, when that day has yet to",
    ),
    "observations by number": (
        lambda: walked(
            tariff=ep.MarkovDetector(),
            tariff_observation=lambda m: ep.regimes.observations.basket_return(m).reset_index(drop=True),
        ),
        DataError,
        "tariff_observation returned rows that are not by naive date: index them by the session each",
    ),
    "an observation that names a column twice": (
        lambda: walked(tariff=ep.MarkovDetector(), tariff_observation=twice),
        DataError,
        "tariff_observation returned a frame that names a column twice: give each",
    ),
    "markov: numbers as objects": (
        lambda: ep.MarkovDetector().fit(pd.Series(NOISE, dtype=object)),
        ParameterError,
        "y is a Series of object: give a series of numbers",
    ),
    "markov: an array of texts": (
        lambda: ep.MarkovDetector().fit(np.array(["a", "b"])),
        ParameterError,
        "y is a ndarray of <U1: give a series of numbers",
    ),
    "markov: one more row that is missing": (
        lambda: ep.MarkovDetector().fit(NOISE).update(pd.NA),
        ParameterError,
        "y is [<NA>]: give a series of numbers",
    ),
}

BAD_TABLES: dict[str, tuple[Callable[[Path], Any], type[EntrepotError], str]] = {
    "levels: no file": (
        lambda f: ep.load_tariff_levels(f / "absent.csv"),
        DataError,
        "cannot be read as a file of tariff levels; give the path of a",
    ),
    "levels: a folder": (
        lambda f: ep.load_tariff_levels(f),
        DataError,
        "cannot be read as a file of tariff levels; give the path of a",
    ),
    "levels: a number": (lambda f: ep.load_tariff_levels(5), ParameterError, "path is 5"),
    "levels: an empty file": (
        lambda f: ep.load_tariff_levels(written(f, "")),
        DataError,
        "table.csv has no column series, effective_from, rate_pct,",
    ),
    "levels: another table": (
        lambda f: ep.load_tariff_levels(written(f, "a,b\n1,2\n")),
        DataError,
        "table.csv has no column series, effective_from, rate_pct,",
    ),
    "levels: semicolons": (
        lambda f: ep.load_tariff_levels(written(f, HEADER.replace(",", ";") + "\n")),
        DataError,
        "table.csv has no column series, effective_from, rate_pct,",
    ),
    "levels: a file without its last line break": (
        lambda f: ep.load_tariff_levels(written(f, f"{HEADER}\nus_a,2021-02-01,,10,all,the law")),
        DataError,
        "table.csv ends without a line break, so it may have been cut short: add one if it is whole",
    ),
    "levels: a file cut off within a row": (
        lambda f: ep.load_tariff_levels(
            written(f, f"{HEADER}\nus_a,2021-02-01,,10,all,the law\nus_b,2021-02-01,,1")
        ),
        DataError,
        "table.csv ends within a row, 'us_b,2021-02-01,,1', without a line break",
    ),
    "levels: a file cut off within a quoted text": (
        lambda f: level_file(f, 'us_a,2021-02-01,,10,all,"the law'),
        DataError,
        "table.csv is not a CSV file from row 2 on: a double quote is not closed",
    ),
    "news: a file without its last line break": (
        lambda f: ep.load_news_index(written(f, "date,gpr\n2024-01-02,110.5\n2024-01-03,11")),
        DataError,
        "table.csv ends without a line break, so it may have been cut short: add one if it is whole",
    ),
    "levels: another encoding": (
        lambda f: ep.load_tariff_levels(written(f, HEADER.encode("utf-16"))),
        DataError,
        "table.csv is not a CSV file in UTF-8: line 1 is in another encoding; save it as CSV UTF-8",
    ),
    "levels: a column twice": (
        lambda f: ep.load_tariff_levels(written(f, HEADER + ",series\n")),
        DataError,
        "table.csv names a column twice; give each column a name of its",
    ),
    "levels: a comma in a text": (
        lambda f: level_file(f, "us_a,2021-02-01,,10,all goods, all,law"),
        DataError,
        "table.csv row 2",
    ),
    "levels: a bad row": (
        lambda f: level_file(f, "us_a,2021-02-01,,10,all,law", "us_b,2021-02-30,,10,all,law"),
        DataError,
        "table.csv row 3 (us_b)",
    ),
    "news: no file": (
        lambda f: ep.load_news_index(f / "absent.csv"),
        DataError,
        "cannot be read as a file of a news index; give the path of a",
    ),
    "news: a number": (lambda f: ep.load_news_index(5), ParameterError, "path is 5"),
    "news: an empty file": (
        lambda f: ep.load_news_index(written(f, "")),
        DataError,
        "table.csv needs a column date and one of numbers; its columns",
    ),
    "news: no date": (
        lambda f: ep.load_news_index(written(f, "day,value\n2021-01-01,1\n")),
        DataError,
        "table.csv needs a column date and one of numbers; its columns",
    ),
    "news: dates twice": (
        lambda f: ep.load_news_index(written(f, "date,value\n2021-01-01,1\n2021-01-01,2\n")),
        DataError,
        "table.csv row 3",
    ),
    "news: words for values": (
        lambda f: ep.load_news_index(written(f, "date,value\n2021-01-31,high\n2021-02-28,2\n")),
        DataError,
        "table.csv row 2",
    ),
    "news: a date that is none": (
        lambda f: ep.load_news_index(written(f, "date,value\n2021-13-01,1\n2021-02-01,2\n")),
        DataError,
        "table.csv row 2",
    ),
    "news: two columns and no choice": (
        lambda f: ep.load_news_index(written(f, "date,a,b\n2021-01-01,1,2\n2021-02-01,1,2\n")),
        DataError,
        "column is None, which table.csv has not",
    ),
    "news: a column there is not": (
        lambda f: ep.load_news_index(written(f, "date,a\n2021-01-31,1\n2021-02-28,2\n"), "b"),
        DataError,
        "column is 'b', which table.csv has not",
    ),
    "news: known before it is counted": (
        lambda f: ep.load_news_index(written(f, "date,a\n2021-01-31,1\n2021-02-28,2\n"), lag=-1),
        ParameterError,
        "lag is -1",
    ),
    "news: a lag in words": (
        lambda f: ep.load_news_index(written(f, "date,a\n2021-01-31,1\n2021-02-28,2\n"), lag="month"),
        ParameterError,
        "lag is 'month'",
    ),
}

CASES = [
    *(
        Case("regimes", name, lambda f, call=call: call(), error, re.escape(words))
        for name, (call, error, words) in BAD_REGIMES.items()
    ),
    *(
        Case("tables of the regimes", name, call, error, re.escape(words))
        for name, (call, error, words) in BAD_TABLES.items()
    ),
]
