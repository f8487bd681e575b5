# %% [markdown]
# # Choosing parameters without fooling yourself
#
# **Question.** A convergence trade has a lookback, an entry and an exit. Some choice of the three did best.
# Is that choice better than the others, is it better than luck, and what would it have earned for somebody
# who had to choose *before*?
#
# **Expected.** The best of many looks good whatever they are worth. What is left after counting the trials
# should be much less, and the choice should say little about later years.
#
# **The market here is simulated**, unless the environment variable `ENTREPOT_PRICES` names a folder of
# daily price files.

# %%
import os
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display

import entrepot as ep
from entrepot.reports import sharpe_interval

pd.set_option("display.width", 140, "display.max_columns", 20, "display.precision", 4)
plt.rcParams.update(
    {"font.size": 8, "axes.titlesize": 9, "axes.titlelocation": "left", "legend.frameon": False}
)

folder = os.environ.get("ENTREPOT_PRICES")
events = ep.load_events()
if folder:
    market = ep.load_market(folder, start="2019-06-03", ends="cut", departures="parity")
else:
    market = ep.simulate_market("2019-06-03", "2025-06-30", events=events.frame)
print(market)

# %% [markdown]
# ## Put something aside first
#
# Everything up to the end of 2023 may be looked at as often as one likes. What comes after is the hold-out,
# and it is good for one look.

# %%
past = market.between("2019-06-03", "2023-12-29")
path = ep.RegimeModel().walk_forward(past, events)
grid = {"lookback": range(20, 121, 20), "entry": [0.75, 1.0, 1.5, 2.0, 2.5], "exit": [-0.3, 0.0, 0.3]}
sweep = ep.sweep(past, ep.LongHKShortADR(), grid, path=path, progress=False)
print(sweep)

columns = ["Sharpe Ratio", "Monthly Sharpe", "Total Return [%]", "Turnover", "Trades"]
display(sweep.best("sharpe", n=5)[[*grid, *columns]])

# %% [markdown]
# ## Look at the neighbours
#
# A plateau says that the choice does not matter much. A lone peak says that it was luck.

# %%
sweep.heatmap("entry", "lookback")
plt.show()

# %% [markdown]
# ## What does luck look like?
#
# The same sweep on simulated markets in which nothing can be foreseen: premia are random walks, events move
# nothing. Any Sharpe ratio of the best of these is luck, and there is one such number for each market.


# %%
def luckiest(seed):
    """The best Sharpe ratio of the grid on a market that holds nothing to find."""
    empty = ep.simulate_market("2019-06-03", "2023-12-29", seed=seed, effects=ep.Effects.none())
    own = ep.RegimeModel().walk_forward(empty, events)  # borrow is as dear as above on the same days
    return ep.sweep(empty, ep.LongHKShortADR(), grid, path=own, progress=False).best("sharpe")["Sharpe Ratio"]


luck = [luckiest(seed) for seed in range(1, 7)]
best = sweep.best("sharpe")
print(f"best of {sweep.trials} configurations: {best['Sharpe Ratio']:.2f} on the market above")
print("best of as many where there is nothing:", ", ".join(f"{ratio:.2f}" for ratio in sorted(luck)))

# %% [markdown]
# ## Count the trials
#
# `significance` holds the best against the luckiest of as many trials as there were in effect, against each
# other in the halves of history, against choosing as time went on, and against dearer terms. `verdict` says
# what came of it.

# %%
found = sweep.significance(train=252, test=63, draws=400, progress=False)
print(fill(found.verdict, 100))
display(found.criteria)

# %%
found.plot()
plt.show()

# %% [markdown]
# A sweep knows its own trials only. What you and others tried before on the same years has to be told:

# %%
modest = sweep.significance(other_trials=500, train=252, test=63, draws=400, progress=False)
odds = {"this sweep alone": found, "and 500 trials elsewhere": modest}
odds = {name: each.monthly if each.by_month else each.daily for name, each in odds.items()}
figures = {
    "luckiest Sharpe ratio": "luckiest_independent",
    "deflated Sharpe ratio": "deflated_independent",
    "record needed, years": "needed",  # NaN: none is long enough
}
display(pd.DataFrame({name: {k: getattr(o, v) for k, v in figures.items()} for name, o in odds.items()}))
print(f"probability of backtest overfitting: {found.overfitting.probability:.0%}")

# %% [markdown]
# ## Choose as time goes on
#
# Every quarter take what was best over the last year, and hold it. Nobody knows at the start which row of
# the table wins in the end.

# %%
walked = sweep.walk_forward(train=252, test=63)
print(fill(str(walked), 100))
chosen = walked.table[["From", "Configuration", "In Sample", "Out of Sample", "Rank"]]
display(chosen.tail(6))

# %% [markdown]
# ## The one look
#
# Now the hold-out, for all configurations at once: what each showed up to 2023, and after. Each is run once
# over the whole span, so that none has to be warmed up again.

# %%
whole = ep.sweep(
    market, ep.LongHKShortADR(), grid, path=ep.RegimeModel().walk_forward(market, events), progress=False
)
excess = whole.returns()
split = pd.Timestamp("2023-12-30")


def ratio(returns):
    """Annual Sharpe ratio of session returns over the policy rate."""
    return np.sqrt(252) * returns.mean() / returns.std()


ratios = pd.DataFrame({"before": ratio(excess[:split]), "after": ratio(excess[split:])})
winner = int(best.name)
link = ratios.rank().corr().iloc[0, 1]
display(ratios.describe().loc[["min", "25%", "50%", "75%", "max"]])

# %%
fig, ax = plt.subplots(figsize=(7.2, 3.2))
ax.scatter(ratios["before"], ratios["after"], s=14, color="0.6", label="configurations")
ax.scatter(*ratios.iloc[winner], s=50, marker="D", color="#b04300", label="the best before")
ax.axline((0, 0), slope=1, color="0.5", lw=0.8, ls="--", label="as good as before")
ax.axhline(0, color="k", lw=0.6)
ax.set_xlabel("Sharpe ratio up to 2023")
ax.set_ylabel("Sharpe ratio after")
ax.set_title(f"What the past said of the hold-out: rank correlation {link:+.2f} ({market.label})")
ax.legend()
plt.show()

# %% [markdown]
# ## In words

# %%
before, after = ratios.iloc[winner]
print(f"{market.label}: best of {sweep.trials} up to 2023 has {before:.2f}, and {after:.2f} in the hold-out")
print(f"the median configuration has {ratios['before'].median():.2f} and {ratios['after'].median():.2f}")
above = sum(each >= before for each in luck)
print(f"luck alone showed {min(luck):.2f} to {max(luck):.2f}, as much as the best in {above} of {len(luck)}")
print(f"choosing by quarter, after the cost of changing: {walked.charged_sharpe:.2f} by session")
held = excess[split:].iloc[:, winner].to_numpy()
low, high = sharpe_interval(held)
print(f"hold-out of {len(held) / 252:.1f} years: 95 % interval of the best's ratio {low:.2f} to {high:.2f}")

# %% [markdown]
# **What came out.** The row on top of the table is not the result; the verdict under it is. The interval of
# the best's ratio in the hold-out holds both what it had before and zero: the hold-out neither confirms nor
# refutes it. On the simulated market luck alone can show as high a ratio where there is nothing to find.
# Where the verdict is kinder, as it may be on other prices, look at what is left of it once other people's
# trials are counted.
#
# **What it does not show.** Whether the idea is good: all of it was about choosing *within* one idea. A
# hold-out of a year and a half cannot tell much either way, and after this look it is spent. Trials that
# nobody counted stay uncounted, and the grid itself was drawn up by people who had seen these years.

# %%
if not folder:  # this text was written beside the simulated market: say so where it no longer fits
    assert found.skill is not True
    assert best["Sharpe Ratio"] < max(luck)
    assert low < 0 < before < high
    assert odds["and 500 trials elsewhere"].deflated < odds["this sweep alone"].deflated
