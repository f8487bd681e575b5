# %% [markdown]
# # Tariffs and sectors, 2018-2019 and 2025
#
# **Question.** Twice the US put tariffs on nearly everything China sells. Exporters should suffer more than
# banks: does rotating among China sectors earn anything, do tilts that know about tariffs help, and is
# switching to them worth what it costs?
#
# **Expected.** Two episodes are two observations. Whatever rotation shows over eight years, the share that
# tariffs could explain is small, and anybody can find the tilts that would have worked.
#
# **The market here is simulated**, unless the environment variable `ENTREPOT_PRICES` names a folder of
# daily price files.

# %%
import os
from textwrap import fill

import matplotlib.pyplot as plt
import pandas as pd
from IPython.display import display

import entrepot as ep

pd.set_option("display.width", 140, "display.max_columns", 20, "display.precision", 4)
plt.rcParams.update(
    {"font.size": 8, "axes.titlesize": 9, "axes.titlelocation": "left", "legend.frameon": False}
)

folder = os.environ.get("ENTREPOT_PRICES")
events = ep.load_events()
if folder:
    market = ep.load_market(folder, start="2018-01-02", ends="cut", departures="parity")
else:
    market = ep.simulate_market("2018-01-02", "2025-12-31", events=events.frame)
print(market)

# %% [markdown]
# ## Two waves
#
# The average additional duty on imports from China, as it was in force at each step, over the regimes that
# the calendar of events gives. Before late 2019 few companies have lines in both cities, so these years
# belong to funds and sectors.

# %%
path = ep.RegimeModel().walk_forward(market, events)
duty = ep.load_tariff_levels().level(market.grid, series="us")["us"]

fig, ax = plt.subplots(figsize=(7.2, 2.6))
for regime, colour, hatch in [("tariff", "#f7dfae", ""), ("decoupling", "#ac97c8", "//")]:
    spells = path.episodes().query("regime == @regime")
    for spell in spells.itertuples():
        label = regime if spell.Index == spells.index[0] else None
        ax.axvspan(spell.start, spell.end, fc=colour, ec="0.6", hatch=hatch, alpha=0.6, lw=0, label=label)
ax.plot(duty, color="#0b3c6f", drawstyle="steps-post", label="duty in force, %")
ax.set_title("Additional US duties on imports from China, and tariff regimes as they were known")
ax.legend()
plt.show()

# %%
spells = path.episodes().groupby("regime")["sessions"].agg(["count", "sum"]).reindex(path.names)
display(spells.set_axis(["episodes", "sessions"], axis=1).round())
print(fill(path.caveat, 100))

# %% [markdown]
# ## Who suffered?
#
# What each fund returned from the memorandum of March 2018 to the first deal of December 2019, and from the
# "reciprocal" tariffs of 2 April 2025 to the truce of Geneva. If tariffs have a cross-section, the two
# columns should rank alike.

# %%
rotation = ep.SectorRotation(lookback=120, top=3, universe="etf")
funds = list(rotation.targets(market, path).signals["score"].columns)
close = market.price[funds].ffill().loc[market.decision_steps]
waves = {"2018-2019": ("2018-03-21", "2019-12-13"), "2025": ("2025-04-01", "2025-05-13")}
fell = pd.DataFrame(
    {name: 100 * (close[:end].iloc[-1] / close[:start].iloc[-1] - 1) for name, (start, end) in waves.items()}
)
alike = fell.rank().corr().iloc[0, 1]
display(fell.assign(sector=market.instruments.loc[funds, "sector"]).sort_values("2018-2019"))
print(f"rank correlation of the two waves: {alike:+.2f}, of {len(fell)} funds")

# %% [markdown]
# ## Does the ranking earn anything?
#
# `SectorRotation` holds the three funds with the strongest last half year, looked at once a month. Four
# runs with every cost: all funds in equal parts, which ranks nothing; momentum; momentum with tilts by
# regime, a table in which each row has a reason and a source; and `TariffRotation`, which asks for no
# momentum at all and holds domestic lines against exporters while tariffs escalate.

# %%
runs = {
    "all funds alike": ep.backtest(market, rotation.with_(top=len(funds), tilts={}), path=path),
    "momentum": ep.backtest(market, rotation.with_(tilts={}), path=path),
    "momentum and tilts": ep.backtest(market, rotation, path=path, check=True),
    "tariff rotation": ep.backtest(market, ep.TariffRotation(), path=path, check=True),
}
compared = ep.compare_results(runs)
rows = [
    "Annualized Return [%]",
    "Annualized Volatility [%]",
    "Sharpe Ratio",
    "Monthly Sharpe",
    "Costs [% pa]",
]
display(compared.summary.loc[rows].round(2))
compared.plot()
plt.show()

# %%
display(compared.difference.round(2))
display(compared.correlation.round(2))

# %% [markdown]
# `Difference` is a run's Sharpe ratio less that of holding all funds alike, with its 95 % interval. Which
# regimes paid, in per cent of capital:

# %%
paid = pd.DataFrame({name: run.by_regime()["P&L [%]"] for name, run in runs.items()}).T
display(paid.round(1))

# %% [markdown]
# ## Is switching worth it?
#
# A switch follows the regime: momentum in calm and delisting, the tariff trade under tariffs.
# `switching_value` holds it against each of its parts, held throughout, and against the same switch on
# calendars whose events have *wrong dates*. If the dates matter, few of those should do as well.

# %%
tariff = ep.TariffRotation()
switch = ep.RegimeSwitch(path, calm=rotation, tariff=tariff, delisting=rotation, decoupling=tariff)
value = ep.switching_value(market, events, switch, placebos=19, progress=False)
columns = [
    "Net Return [% pa]",
    "Sharpe Ratio",
    "Turnover",
    "Costs [% pa]",
    "Switch Adds",
    "Adds Low",
    "Adds High",
]
display(value.table[columns].astype(float).round(2).T)

# %%
value.plot()
plt.show()

# %% [markdown]
# ## In words

# %%
widest = compared.difference[["Low", "High"]]
print(f"{market.label}, {compared.span}")
print(f"momentum and holding everything: correlation {compared.correlation.iloc[0, 1]:.2f}")
unlike = compared.difference.index[(widest["Low"] > 0) | (widest["High"] < 0)]
print(f"runs told apart from holding all funds alike: {', '.join(unlike) or 'none'}")
print(
    f"tilts: {runs['momentum and tilts'].costs().sum() / 1e3:,.0f} thousand of costs, "
    f"{runs['momentum'].costs().sum() / 1e3:,.0f} without"
)
print(fill(str(value), 100))

# %% [markdown]
# **What came out.** Ranking China funds hardly changes what is held: they rise and fall together. Over this
# span no run can be told from holding all of them alike, with tilts or without, and calendars with wrong
# dates do as well as the true one too often for the dates to be what paid.
#
# **What it does not show.** That tariffs do not matter: two waves in eight years cannot show it either way,
# whatever the length of the table. The tilts were written by people who had seen both waves, so a good
# result would not have been evidence. On the simulated market events do hit exporters harder, and even so
# it does not show. The choice of 120 sessions and three funds is one of many: see `choosing_parameters`.

# %%
if not folder:  # this text was written beside the simulated market: say so where it no longer fits
    assert market.truth.effects.momentum == 0
    assert compared.correlation.iloc[0, 1] > 0.9
    assert len(unlike) == 0
    assert value.p["Sharpe Ratio"] > 0.1
