"""Time one asset traded in whole units at every other bar, against backtesting.py, which knows no second one.

It fills at the close of the decision's bar (``trade_on_close``) and books that at the next bar, so the two
are compared at the bars between trades, to 1e-9, before anything is timed. backtesting.py is under the AGPL:
the benchmarks depend on it, the library does not. `--help` lists the options.
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from hot_loop import CAPITAL, FEE, TOLERANCE, describe_machine, seconds_of
from numpy.typing import NDArray

import entrepot as ep


def make_world(bars: int) -> tuple[pd.Series, NDArray[np.float64]]:
    """Return prices and the units traded at each bar, whole, at odd bars, never short."""
    rng = np.random.default_rng(11)
    moves = 0.01 * rng.standard_normal(bars)
    dates = pd.bdate_range("2010-01-01", periods=bars)
    price = pd.Series(100.0 * np.exp(np.cumsum(moves)), dates, name="A")
    held = rng.integers(0, 2_000, bars).astype(np.float64)
    held[::2] = np.nan
    held = pd.Series(held).ffill().fillna(0.0).to_numpy()
    return price, np.diff(held, prepend=0.0)


def weights_of(price: pd.Series, trades: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights, of equity before the bar's fees, that want these units; NaN without a trade."""
    quotes, held = price.to_numpy(), np.cumsum(trades)
    flows = -trades * quotes - FEE * np.abs(trades) * quotes
    before = CAPITAL + np.concatenate([[0.0], np.cumsum(flows)[:-1]]) + (held - trades) * quotes
    return np.asarray(np.where(trades != 0.0, held * quotes / before, np.nan), dtype=np.float64)


def run_peer(price: pd.Series, trades: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return backtesting.py's equity."""
    from backtesting import Backtest, Strategy

    class Units(Strategy):  # type: ignore[misc]
        def init(self) -> None:
            pass

        def next(self) -> None:
            units = trades[len(self.data) - 1]
            if units > 0:
                self.buy(size=int(units))
            elif units < 0:
                self.sell(size=int(-units))

    data = pd.DataFrame(dict.fromkeys(("Open", "High", "Low", "Close"), price))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        test = Backtest(data, Units, cash=CAPITAL, commission=FEE, trade_on_close=True)
        equity = test.run()["_equity_curve"]["Equity"].to_numpy()
    return np.asarray(equity, dtype=np.float64)


def main() -> None:
    """Read the options, compare, time, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bars", type=int, default=2500, help="default %(default)s")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    options = parser.parse_args()
    price, trades = make_world(options.bars)
    market, weights = ep.Market.from_prices(price.to_frame()), weights_of(price, trades)[None, :, None]

    def ours() -> NDArray[np.float64]:
        return ep.backtest_batch(market, weights, capital=CAPITAL, fee_bps=FEE * 1e4, fill="same_step")[:, 0]

    mine, theirs = ours(), run_peer(price, trades)
    between = np.flatnonzero(trades == 0.0)[1:]
    worst = float(np.max(np.abs(mine[between] / theirs[between] - 1.0)))
    if not worst < TOLERANCE:
        raise SystemExit(f"one_asset: backtesting.py and entrepot differ by {worst:.1e}")
    best, peer = min(seconds_of(ours, 5)), min(seconds_of(lambda: run_peer(price, trades), 2))
    print(
        f"one asset, {options.bars:,} bars, a trade at every other: entrepot {best * 1e3:.2f} ms, "
        f"backtesting.py {peer * 1e3:.0f} ms, {peer / best:.0f} times; equity differs by {worst:.0e}"
    )
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        rows = {"bars": options.bars, "entrepot_s": best, "backtesting_s": peer, "difference": worst}
        text = json.dumps({"machine": describe_machine(), **rows}, indent=2)
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
