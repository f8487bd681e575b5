"""Mistakes that a type checker must see: where one is no error any more, its comment is, in `make lint`."""

# pyright: strict, reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

import entrepot as ep

market = ep.simulate_market("2021-01-04", "2023-12-29")
events = ep.load_events()
path = ep.RegimeModel().walk_forward(market, events)
pairs = ep.LongHKShortADR()
result = ep.backtest(market, pairs)

# A word that is none of those allowed.
ep.premium(market, "BABA", align="next-hk")  # type: ignore[call-overload]  # pyright: ignore[reportArgumentType]
ep.LongHKShortADR(mode="convergance")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
ep.SectorRotation(rule="value")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
ep.load_market("prices", ends="trim")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
ep.backtest(market, pairs, fill="now")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
result.plot("equty")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
result.by_period("week")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

# A name that is not there.
ep.backtset(market, pairs)  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
result.sharpe()  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
ep.LongHKShortADR(entry_z=2.0)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
ep.backtest(market, pairs, cash=1e6)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]

# The wrong thing, or in the wrong place.
ep.backtest(pairs, market)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
ep.backtest(market, path)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
ep.backtest(market, pairs, 1_000_000)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
ep.backtest(market, pairs, capital="1e6")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
ep.RegimeSwitch(events, calm=pairs)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
ep.sweep(market, pairs, {"entry": 1.5})  # type: ignore[dict-item]  # pyright: ignore[reportArgumentType]
result.by_regime(events)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
pairs.entry = 2.0  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]
