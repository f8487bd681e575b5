"""What a fresh installation of the wheel must do; `make dist` runs it away from the sources."""

from importlib.metadata import version

import entrepot as ep

assert ep.__version__ == version("entrepot"), f"{ep.__version__} says it is {version('entrepot')}"
market = ep.simulate_market("2024-01-02", "2024-06-28", seed=7)
result = ep.backtest(market, ep.LongHKShortADR(), check=True)
assert len(result.fills), "the first backtest traded nothing"
print(result)  # noqa: T201
