# %% [markdown]
# # First steps
#
# **Question.** Hold the Hong Kong line against the ADR while delisting risk is on, rotate China sectors
# while tariffs are, and trade the gap between the two lines the rest of the time: what would that have
# earned after every cost, what paid for it, and how sure is it?
#
# **Expected.** Costs matter: a pair pays stamp duty in Hong Kong, two spreads and borrow. And a handful of
# scares in seven years is little to learn from, whatever the total says.
#
# **The market here is simulated**: names, lots, ratios and calendars are real, prices are not. Where the
# environment variable `ENTREPOT_PRICES` names a folder of daily price files, the same cells run on those.

# %%
import os
import tempfile
from pathlib import Path
from textwrap import fill

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display

import entrepot as ep

pd.set_option("display.width", 140, "display.max_colwidth", 120, "display.precision", 4)

folder = os.environ.get("ENTREPOT_PRICES")
events = ep.load_events()
if folder:
    market = ep.load_market(folder, start="2019-06-03", ends="cut", departures="parity")
else:
    market = ep.simulate_market("2019-06-03", "2025-12-31", events=events.frame)
print(market)

# %% [markdown]
# ## Two venues, one clock
#
# There is no row per date. There are steps: the opens and closes of both venues in the order in which they
# happen. Hong Kong has closed before New York opens, so at no step do both lines of a company print.

# %%
day = market.grid["session"].iloc[-1]
steps = market.grid[market.grid["session"] == day].set_index("time")
display(steps.join(market.price[["9988.HK", "BABA"]]))

# %% [markdown]
# ## The premium
#
# `ads_usd * usdhkd / (ordinary_per_ads * hk_hkd) - 1`: negative is an ADR discount. Ratio and rate are
# those of the date, and each value says when both of its prices were known.

# %%
display(ep.premium(market, "BABA", detail=True).tail(3).T)

# %% [markdown]
# ## What was known of the world
#
# The calendar of events holds when each became known, not only when it happened. Two detectors turn what is
# known so far into one of four regimes: calm, tariff, delisting, or decoupling, which is both.

# %%
known = events.known_by("2022-03-10T22:00Z").frame
display(known[["known_at", "channel", "direction", "severity", "title"]].tail(4))

# %%
path = ep.RegimeModel().walk_forward(market, events)
ep.draw_regimes(market, path, events)
plt.show()

# %% [markdown]
# ## A plan
#
# A plan says what to hold in each regime. Its parts are strategies with parameters; here all are the
# defaults, chosen beforehand.

# %%
pairs = ep.LongHKShortADR(mode="convergence")
hedge = pairs.with_(mode="delisting_hedge")
plan = ep.RegimeSwitch(path, calm=pairs, tariff=ep.SectorRotation(), delisting=hedge, decoupling=hedge)

result = ep.backtest(market, plan, capital=10_000_000, check=True)
columns = ["time", "symbol", "quantity", "fill_price", "fees", "reason"]
display(result.fills[columns].head(4))

# %% [markdown]
# `check=True` works every booked amount out a second time. An order fills at its line's next step, never at
# the price it was decided on, and a pair is one order with two legs hours apart. Prices and fees are in each
# line's own currency.
#
# ## What came out

# %%
names = ["Total Return [%]", "Annualized Return [%]", "Sharpe Ratio", "Monthly Sharpe", "Max Drawdown [%]"]
display(result.summary()[[*names, "Turnover", "Total Costs"]].to_frame("the plan"))
result.plot("equity", events=events)
plt.show()

# %% [markdown]
# Which regime paid? Each row adds up what was earned while that regime was in force. `Episodes` is how
# often it came: that is the number of observations behind the row.

# %%
columns = ["P&L [%]", "Sharpe Ratio", "Share of Time [%]", "Sessions", "Episodes", "Costs"]
display(result.by_regime()[columns].round(2))
print(fill(path.caveat, 100))

# %% [markdown]
# And what for? Every source of profit and loss, from the capital to the final equity:

# %%
display((100 * result.costs() / result.capital).round(2).to_frame("costs, % of capital"))
result.plot("waterfall")
plt.show()

# %% [markdown]
# ## How sure is it?
#
# Intervals from resampled sessions, in blocks, say what the same plan might have shown in other years that
# were like these.

# %%
likely = result.intervals(draws=400)
display(likely.round(2))

# %% [markdown]
# ## One file to hand on
#
# The report holds all of this and more: drawdowns, exposures, leg risk, the pairs' trades, and where code,
# data and parameters came from. It is one HTML file; a name ending in `.pdf` gives pages of A4.

# %%
page = result.report(Path(tempfile.mkdtemp()) / "report.html", events=events, title="First steps")
print(f"{page.name}: {page.stat().st_size / 1e6:.1f} MB, run {result.provenance['Run']}")

# %% [markdown]
# ## In words

# %%
profit = 100 * (result.equity.iloc[-1] / result.capital - 1)
idle = result.by_source().loc[["interest", "rebate"], "P&L [%]"].sum()
paid = 100 * result.costs().sum() / result.capital
low, high = likely.loc["Sharpe Ratio", ["low", "high"]]
print(f"{market.label}, {result.returns.index[0]:%Y-%m-%d} to {result.returns.index[-1]:%Y-%m-%d}")
print(f"the plan made {profit:+.1f} % of its capital, of which idle cash and short proceeds {idle:+.1f} %")
print(f"everything else together {profit - idle:+.1f} %, after costs of {paid:.1f} %")
print(f"Sharpe ratio over cash {low:.2f} to {high:.2f}, with 95 % confidence")

# %% [markdown]
# **What came out.** A total return hides three things that the tables tell apart: interest on idle cash and
# short proceeds, which takes no skill, costs that are larger than the result itself, and a few episodes that
# decide the rest. The interval of the Sharpe ratio holds zero: nothing here can be told from luck.
#
# **What it does not show.** On the simulated market the events that the plan reads also move the prices,
# which favours whoever reads them. On any market the calendar, its signs and its severities were written by
# people who knew what followed. And one run with default parameters is one trial: what becomes of many is
# in `choosing_parameters`.
#
# Next: `alibaba_discount_2025` takes the premium apart, `delisting_2022` the hedge, `tariffs_and_sectors`
# the rotation.

# %%
if not folder:  # this text was written beside the simulated market: say so where it no longer fits
    assert low < 0 < high
    assert paid > abs(profit)
    assert idle > profit
