# %% [markdown]
# # Long Hong Kong, short the ADR, through the delisting scare of 2022
#
# **Question.** From the law of December 2020 to the audit deal of 2022 every Chinese ADR could have been
# thrown out of New York. Whoever held the Hong Kong line against the ADR was hedged against the market and
# paid if New York's price fell behind. Did it pay?
#
# **Expected.** ADRs fall on such news. Whether they fall *more than their own Hong Kong lines* is another
# question: shares can be moved from one market to the other, and whoever could move them would have closed
# the gap. The hedge itself pays borrow every day and trades its legs half a day apart.
#
# **The market here is simulated**, unless the environment variable `ENTREPOT_PRICES` names a folder of
# daily price files.

# %%
import os
from textwrap import fill

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display
from matplotlib.dates import DateFormatter

import entrepot as ep

pd.set_option("display.width", 140, "display.max_columns", 20, "display.precision", 4)
plt.rcParams.update(
    {"font.size": 8, "axes.titlesize": 9, "axes.titlelocation": "left", "legend.frameon": False}
)

folder = os.environ.get("ENTREPOT_PRICES")
events = ep.load_events()
span = {"start": "2019-06-03", "end": "2023-06-30"}
if folder:
    market = ep.load_market(folder, ends="cut", departures="parity", **span)
else:
    market = ep.simulate_market(events=events.frame, **span)
print(market)

# %% [markdown]
# ## What did prices do?
#
# An event study of the calendar's delisting events, beyond what mainland shares did at New York's hours
# (`ASHR`, which no American rule delists). First the ADRs' returns, day by day around escalations and
# reliefs:

# %%
delisting = events.frame[events.frame["channel"] == "delisting"]
study = ep.event_study(market, delisting, benchmark="ASHR")
study.plot()
plt.show()

# %% [markdown]
# Then the gap between the two lines, which is what the pair trades. New York's close is set against Hong
# Kong's next one, so that both have seen the event. Means and their 95 % bands are in per cent.

# %%
gap = ep.event_study(market, delisting, measure="premium")
columns = ["dates", "independent", "mean", "low", "high", "p_clustered", "p_placebo"]
both = {"return beyond ASHR": study.windows, "premium": gap.windows}
shown = pd.concat({name: table.xs("escalation")[columns] for name, table in both.items()})
shown[["mean", "low", "high"]] *= 100
display(shown.round(3))

# %% [markdown]
# ## The hedge
#
# `delisting_hedge` asks nothing of the premium. It holds the pairs in quarters of their weight while what
# is known of delisting risk escalates, and nothing once relief is at least as strong.

# %%
path = ep.RegimeModel().walk_forward(market, events)
hedge = ep.LongHKShortADR(mode="delisting_hedge")
level = hedge.targets(market, path).signals["hedge"]

fig, ax = plt.subplots(figsize=(7.2, 2.6))
ax.fill_between(level.index, 3 * level["level"], color="0.85", step="post", label="hedge held (3: all)")
ax.plot(level["escalation"], color="#b04300", lw=1, label="escalation")
ax.plot(level["relief"], color="#0b3c6f", lw=1, ls="--", label="relief")
ax.set_ylim(0, 17)
ax.set_title("Delisting risk as it was known, in marks of events, and the hedge held against it")
ax.legend(ncols=3)
plt.show()

# %% [markdown]
# Beside it stands `convergence`, which trades the same pairs whenever a premium is high and waits for it to
# come back.

# %%
runs = {
    "delisting hedge": ep.backtest(market, hedge, path=path, check=True),
    "convergence": ep.backtest(market, hedge.with_(mode="convergence"), path=path, check=True),
}


def account(result):
    """Profit and loss, per cent of capital: what the pairs made, what idle cash earned, what it cost."""
    part = result.by_source()["P&L [%]"]
    cash = part.reindex(["interest", "rebate"]).sum()
    gross = part.reindex(["price", "fx", "dividend", "conversion"]).sum()
    costs = part.sum() - cash - gross
    monthly = result.summary()["Monthly Sharpe"]
    return {"pairs": gross, "cash": cash, "costs": costs, "total": part.sum(), "Monthly Sharpe": monthly}


display(pd.DataFrame({name: account(run) for name, run in runs.items()}).astype(float).round(2))

# %% [markdown]
# ## Legs half a day apart
#
# One order has two legs. Hong Kong's fills first, New York's follows in the same number of ordinary shares,
# and in between the book is not hedged.

# %%
columns = ["orders", "hedged", "median_hours", "max_hours", "std_move", "cost", "cost_bp"]
display(runs["delisting hedge"].leg_risk()[columns].round(3))

# %% [markdown]
# The hours show in what the book is worth, too. In the second week of March 2022 the first five issuers
# were named, and on the 16th the State Council promised support. Each dot is a close, in per cent of
# capital: New York's news reaches Hong Kong's mark half a day later.

# %%
closes = market.grid[market.grid["phase"] == "close"].set_index("time")["venue"]
book = 100 * runs["delisting hedge"].equity / runs["delisting hedge"].capital
week = book[closes.index]["2022-03-09":"2022-03-18"]
swing = week.max() - week.min()

fig, ax = plt.subplots(figsize=(7.2, 2.6))
ax.plot(week, color="0.75", lw=1)
for venue, colour, marker in [("XHKG", "#b04300", "o"), ("XNYS", "#0b3c6f", "D")]:
    own = week[closes[week.index] == venue]
    ax.plot(own, marker, color=colour, label=f"close of {'Hong Kong' if venue == 'XHKG' else 'New York'}")
ax.set_title(f"What the hedge was worth, % of capital ({market.label})")
ax.xaxis.set_major_formatter(DateFormatter("%d %b"))
ax.legend(ncols=2)
plt.show()

# %% [markdown]
# ## Can it be borrowed?
#
# A hedge against delisting is short ADRs when everybody wants to be. Borrow rates are estimates; three
# times as much is not far-fetched, and nothing to be had is what a scare looks like. The last two rows are
# closed by converting one line into the other, where the depositary's fee replaces a trade.

# %%
risky = {path.names.index(name) for name in ("delisting", "decoupling")}
cases = {
    "as estimated": (hedge, ep.Costs()),
    "borrow x3": (hedge, ep.Costs(borrow_multiplier=3)),
    "no new shorts under delisting risk": (hedge, ep.Costs(no_borrow_states=risky)),
    "shorts recalled under delisting risk": (hedge, ep.Costs(recall_states=risky)),
    "closed by conversion": (hedge.with_(exit_by="convert"), ep.Costs()),
    "closed by whichever is cheaper": (hedge.with_(exit_by="cheapest"), ep.Costs()),
}
terms = {name: ep.backtest(market, plan, path=path, costs=own) for name, (plan, own) in cases.items()}
table = pd.DataFrame({name: account(run) for name, run in terms.items()}).T
table["borrow"] = [100 * run.costs()["borrow"] / run.capital for run in terms.values()]
display(table.astype(float).round(2))

# %% [markdown]
# ## What hindsight would have added
#
# The regimes above are told from the calendar. Here a Markov detector learns delisting risk from prices:
# fitted forward in time, as one could have; with parameters fitted once on the whole sample; and with
# states smoothed over past *and future*, as most papers draw them.

# %%
model = ep.RegimeModel(delisting=ep.MarkovDetector())
seen = ep.look_ahead_gap(
    market, lambda own: ep.RegimeSwitch(own, delisting=hedge, decoupling=hedge), model, events
)
seen.plot()
plt.show()
display(
    seen.table[["Total Return [%]", "Sharpe Ratio", "Switches", "Steps Apart [%]"]].astype(float).round(2)
)

# %% [markdown]
# ## In words

# %%
own, dear = table.loc["as estimated"], table.loc["borrow x3"]
windows = 100 * gap.windows.xs("escalation")[["mean", "low", "high"]]
print(f"{market.label}, the hedge: pairs {own['pairs']:+.1f} % of capital, costs {own['costs']:.1f} %")
print(
    f"with borrow x3 the costs are {-dear['costs']:.1f} %; cash and short proceeds earned {own['cash']:.1f} %"
)
print(f"within that week of March 2022 the marks of the book moved by {swing:.1f} % of capital")
for days, (mean, low, high) in windows.iterrows():
    print(f"premium, days {days} of escalations: {mean:+.2f} points, 95 % band {low:.2f} to {high:.2f}")
returns = seen.table["Total Return [%]"].astype(float)
print(f"hindsight would have added {returns['smoothed states'] - returns['walk-forward']:.1f} % of capital")
print(fill(path.caveat, 100))

# %% [markdown]
# **What came out.** The scare moved the shares of both venues together. In no window around an escalation
# can it be said that the ADR fell behind its Hong Kong line, which is all that the hedge lives on: no band
# of the gap lies below zero. (That of days -1 to 1 lies above it on the simulated market, as it does where an
# event is known by date only: Hong Kong's price had it and New York's not yet.) What the hedge made before
# costs in four years is less than what its marks moved by within one week, and its costs, most of them
# borrow, were due every day.
#
# **What it does not show.** A delisting that happened: then the ADR turns into Hong Kong shares or is
# bought in, and being hedged is worth what the tables cannot hold. The calendar was compiled, and its signs
# given, by people who knew how it ended; and one scare is one observation, however many dates it had. On
# the simulated market the size of the discount under threat is an assumption (`Effects.delisting_drift`),
# not a finding.

# %%
if not folder:  # this text was written beside the simulated market: say so where it no longer fits
    assert (windows["high"] > 0).all()
    assert (windows["low"] > 0).sum() <= 1
    assert abs(own["pairs"]) < swing
    assert own["borrow"] > -0.5 * own["costs"]
    assert dear["costs"] < 1.5 * own["costs"] < 0
    assert returns["walk-forward"] < returns["full-sample parameters"] < returns["smoothed states"]
