"""The benchmarks compare before they time, and write what they measured."""

from __future__ import annotations

import json
from pathlib import Path

import doubt
import growth
import hot_loop
import mechanics
import numpy as np
import one_asset
import pytest
import readme

import entrepot as ep

MACHINE = {
    "processor": "P",
    "cpus": 2,
    "memory_gb": 8,
    "load": 0.1,
    "python": "3.11",
    "packages": {"numpy": "2"},
}


def row(engine: str, best: float) -> dict[str, object]:
    return {
        "engine": engine,
        "kind": "long",
        "configurations": 1,
        "steps": 2500,
        "instruments": 20,
        "best_s": best,
        "median_s": best,
        "runs": 5,
        "ns_per_cell": best * 1e9 / 50_000,
        "memory_mb": 3.0,
        "stream_s": None,
        "difference": 1e-15,
    }


@pytest.mark.parametrize("engine", ["numpy loop", "bt", "vectorbt numba"])
@pytest.mark.parametrize("kind", ["long", "neutral"])
def test_the_engines_agree_on_what_is_timed(engine: str, kind: str) -> None:
    world = hot_loop.make_world(kind, 1, 60, 4)
    ours, theirs = (hot_loop.prepare(name, *world)() for name in ("entrepot", engine))
    assert hot_loop.disagreement(ours, theirs) < hot_loop.TOLERANCE


def test_a_disagreement_stops_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(engine: str, kind: str, shape: tuple[int, ...], repeat: int, file: Path) -> dict[str, object]:
        equity = np.ones(shape[1::-1]) * (1.0 if engine == "entrepot" else 1.0 + 1e-8)
        np.save(file, equity)
        return {"seconds": [1.0], "first_call": 1.0, "memory": 0, "stream": []}

    monkeypatch.setattr(hot_loop, "start_worker", wrong)
    with pytest.raises(SystemExit, match="numpy loop and entrepot differ by 1"):
        hot_loop.measure(["entrepot", "numpy loop"], "long", (1, 10, 2), 1)


def test_a_batch_that_is_not_its_recorded_run_stops_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    market, weights = mechanics.one_venue(2, 50, 3)
    assert mechanics.check(market, weights, ep.Costs.flat(10)) == 0.0
    batch = ep.backtest_batch
    monkeypatch.setattr(ep, "backtest_batch", lambda *given, **options: batch(*given, **options) * (1 + 1e-9))
    with pytest.raises(SystemExit, match="a recorded run differ"):
        mechanics.check(market, weights, ep.Costs.flat(10))


def test_tests_of_luck_that_are_not_the_peers_stop_the_benchmark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doubt, "SESSIONS", 60)
    monkeypatch.setattr(doubt, "DRAWS", 100)
    monkeypatch.setattr(doubt, "SPLITS", 4)
    assert doubt.measure_superiority(3, 1)["ratio"] > 0
    assert doubt.measure_overfitting(3, 1)["ratio"] > 0
    other = doubt.returns_of(4)
    ability, splits = ep.superior_ability(other, draws=100, block=2), ep.overfitting(other, blocks=4)
    monkeypatch.setattr(ep, "superior_ability", lambda *given, **options: ability)
    monkeypatch.setattr(ep, "overfitting", lambda *given, **options: splits)
    for measure in (doubt.measure_superiority, doubt.measure_overfitting):
        with pytest.raises(SystemExit, match="nothing was timed"):
            measure(3, 1)


def test_the_pages_get_what_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small, large = row("entrepot", 0.002), {**row("entrepot", 0.1), "configurations": 100}
    rows = [small, row("vectorbt rust", 0.4), row("numpy loop", 0.001), large]
    rows.append({**row("vectorbt rust", 1.0), "configurations": 100})
    (tmp_path / "hot_loop.json").write_text(json.dumps({"machine": MACHINE, "rows": rows}))
    (tmp_path / "start_up.json").write_text(json.dumps({"main job, kernels on disk": 4.2, "compiling": 30.0}))
    luck = doubt.row("overfitting", "purgedcv", 1000, 0.5, 0.6, 20.0)
    page_of = {"configurations": 2000, "steps": 7958, "stages": {"sweep": 3.44, "page": 1.0}}
    (tmp_path / "doubt.json").write_text(json.dumps({"rows": [luck], "page": page_of}))
    (tmp_path / "docs").mkdir()
    front, full = tmp_path / "README.md", tmp_path / "docs" / "performance.md"
    for page in (front, full):
        page.write_text(f"before\n{readme.MARKERS[0]}\nold\n{readme.MARKERS[1]}\nafter\n")
    monkeypatch.setattr(readme, "ROOT", tmp_path)
    monkeypatch.setattr("sys.argv", ["readme.py", str(tmp_path)])
    readme.main()
    for page in (front, full):
        text = page.read_text()
        assert "old" not in text
        assert text.startswith("before\n")
        assert text.endswith("after\n")
    assert "| 400 ms (400 ms) of 5 | 8,000.00 | 200.0 |" in full.read_text()
    assert "| compiling | 30.00 s |" in full.read_text()
    assert "| overfitting | 1,000 x 2,000 | 0.50 s | purgedcv 20.0 s | 40 |" in full.read_text()
    assert "2,000 configurations over 7,958 steps: sweep 3.4 s, page 1.0 s." in full.read_text()
    # The largest shape that vectorbt ran, and where entrepot does worst; nothing between.
    assert front.read_text().splitlines()[4:-2] == [
        "| target weights, 100 x 2,500 x 20, long | 100 ms | vectorbt rust 1 s | 10 |",
        "| target weights, 1 x 2,500 x 20, long | 2 ms | numpy loop 1 ms | 0.5 |",
        "| overfitting, 1,000 configurations x 2,000 sessions | 500 ms | purgedcv 20 s | 40 |",
        "| main job, kernels on disk | 4.2 s |  |  |",
    ]
    with pytest.raises(SystemExit, match="holds no figures"):
        readme.text_of(tmp_path / "nowhere")


def test_one_asset_is_what_backtesting_py_makes_of_it() -> None:
    price, trades = one_asset.make_world(80)
    market = ep.Market.from_prices(price.to_frame())
    weights = one_asset.weights_of(price, trades)[None, :, None]
    ours = ep.backtest_batch(market, weights, capital=hot_loop.CAPITAL, fee_bps=10, fill="same_step")[:, 0]
    between = np.flatnonzero(trades == 0.0)[1:]
    np.testing.assert_allclose(ours[between], one_asset.run_peer(price, trades)[between], rtol=1e-12)


def test_a_slope_is_that_of_the_line() -> None:
    rows = [{"shape": [64, 10**n, 4], "best_s": 2.0 * 10.0**n} for n in range(1, 5)]
    assert growth.slope("steps", rows) == pytest.approx(1.0)
