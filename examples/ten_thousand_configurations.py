# %% [markdown]
# # Ten thousand configurations
#
# **Question.** How long do ten thousand runs of a pairs strategy take with every cost, what happens when
# the machine goes down half-way, how is the work given to other processors or to a cluster, and what is the
# best of ten thousand worth?
#
# **Expected.** Seconds rather than hours, since configurations share one market and one compiled loop. And
# a best that looks splendid and says little: of ten thousand coins one comes up heads thirteen times
# running.
#
# **The market here is simulated**, unless the environment variable `ENTREPOT_PRICES` names a folder of
# daily price files.

# %%
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from IPython.display import display

import entrepot as ep

pd.set_option("display.width", 140, "display.max_columns", 20, "display.precision", 4)

folder = os.environ.get("ENTREPOT_PRICES")
events = ep.load_events()
span = {"start": "2021-01-04", "end": "2024-12-31"}
if folder:
    market = ep.load_market(folder, ends="cut", departures="parity", **span)
else:
    market = ep.simulate_market(events=events.frame, **span)
path = ep.RegimeModel().walk_forward(market, events)
print(market)

# %% [markdown]
# ## The grid
#
# A dict of values is a grid, the last name fastest. Every combination becomes a run of its own: same clock,
# same ledger, every cost.

# %%
grid = {
    "lookback": range(20, 120, 5),
    "entry": np.linspace(0.5, 2.9, 25).round(2),
    "exit": [-0.4, -0.2, 0.0, 0.2, 0.4],
    "span": [5, 10, 15, 20],
}
count = int(np.prod([len(values) for values in grid.values()]))
cells = count * len(market) * len(market.pairs)
print(
    f"{count:,} configurations x {len(market):,} steps x {len(market.pairs)} pairs: {cells / 1e9:.2f} billion"
)

# %% [markdown]
# ## Run it, with a checkpoint
#
# `checkpoint=` writes each finished chunk of configurations to a Parquet file. Threads run the chunks, one
# for each processor: the compiled loop does not hold the interpreter. `progress=True` shows a bar, and
# Ctrl-C returns what is done.

# %%
pairs = ep.LongHKShortADR()
kept = Path(tempfile.mkdtemp()) / "sweep"
began = time.perf_counter()
sweep = ep.sweep(market, pairs, grid, path=path, checkpoint=kept, progress=True)
took = time.perf_counter() - began
print(sweep)
print(f"{took:.1f} s with compiling, {1e9 * took / cells:.0f} ns for each configuration, step and pair")

# %% [markdown]
# ## The machine goes down
#
# Half of the chunks are taken away, as if the run had been killed. Started again, it does what is missing
# and ends with the same table, to the last bit. A folder of another market, grid or strategy is refused.

# %%
chunks = sorted(kept.glob("chunk-*.parquet"))
for chunk in chunks[::2]:
    chunk.unlink()
began = time.perf_counter()
again = ep.sweep(market, pairs, grid, path=path, checkpoint=kept, progress=False)
print(f"{len(chunks[::2])} of {len(chunks)} chunks again: {time.perf_counter() - began:.1f} s")
pd.testing.assert_frame_equal(again.table, sweep.table)

# %% [markdown]
# ## What it takes
#
# A sweep never holds the weights of a configuration: what is kept is a row of figures. Returns of all of
# them are made when somebody asks.

# %%
table = sweep.table.memory_usage(deep=True).sum() / 1e6
returns = 8 * count * market.decision_steps.sum() / 1e6
weights = 8 * count * len(market) * len(market.symbols) / 1e9
print(f"the table: {table:.0f} MB; session returns, if asked for: {returns:.0f} MB")
print(f"weights of all configurations, which nobody makes: {weights:.0f} GB")

# %% [markdown]
# ## Other processors
#
# `executor=` takes any executor of `concurrent.futures`, and a Dask client. Market, strategy and costs are
# sent to each worker once, after that a task is a list of numbers. A thousand of the configurations, on two
# threads of one's own:

# %%
fewer = grid | {"exit": [0.2], "span": [10, 20]}
own = ep.sweep(market, pairs, fewer, path=path, progress=False)
with ThreadPoolExecutor(2) as pool:
    threaded = ep.sweep(market, pairs, fewer, path=path, executor=pool, progress=False)
pd.testing.assert_frame_equal(threaded.table, own.table)
print(threaded, "the same table")

# %% [markdown]
# And on a cluster, for which `entrepot[distributed]` is installed. This one lives inside this process,
# which is enough to try the wiring; a real one is `Client("tcp://scheduler:8786")`, and nothing else
# changes. Workers elsewhere have to be able to import a strategy of your own, so put it into a module. In a
# script, a pool of *processes* wants the guard `if __name__ == "__main__":` around everything.

# %%
from dask.distributed import Client, LocalCluster

local = LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None)
with local, Client(local) as client:
    clustered = ep.sweep(market, pairs, fewer, path=path, executor=client, chunk=250, progress=False)
pd.testing.assert_frame_equal(clustered.table, own.table)
print(clustered, "the same table")

# %% [markdown]
# ## What came out
#
# Each cell is the mean over the parameters that are not drawn; `aggregate="max"` would show the luckiest
# instead.

# %%
sweep.heatmap("entry", "lookback")
plt.show()

# %%
columns = ["Sharpe Ratio", "Monthly Sharpe", "Annualized Return [%]", "Turnover", "Trades"]
display(sweep.best("sharpe", n=5)[[*grid, *columns]])
display(sweep.table[columns].astype(float).describe().loc[["min", "25%", "50%", "75%", "max"]])

# %% [markdown]
# ## What is the best of ten thousand worth?

# %%
found = sweep.significance(train=252, test=63, blocks=10, draws=200, progress=False)
print(fill(found.verdict, 100))
found.plot()
plt.show()

# %% [markdown]
# ## In words

# %%
odds = found.monthly if found.by_month else found.daily
print(f"{market.label}: {sweep.trials:,} trials amount to {found.trials.independent:,.0f} independent ones")
period = "month" if found.by_month else "session"
luck = odds.luckiest_independent
print(
    f"Sharpe ratio by {period}: the best {odds.sharpe:.2f}, the luckiest of so many without skill {luck:.2f}"
)
print(f"deflated Sharpe ratio {odds.deflated_independent:.2f}, where 0.95 is asked for")
print(f"{(sweep.table['Sharpe Ratio'] > 0).mean():.0%} of all configurations are above cash")

# %% [markdown]
# **What came out.** Ten thousand runs are no longer what a study waits for, and that is the danger: the bar
# that the best has to clear rises with every configuration. Look at what share of the grid is above cash,
# and at whether neighbours agree, before looking at the top. On the simulated market the best stands in a
# corner of the grid: there it is not the idea that ends but the grid, and whoever drew it chose the best.
#
# **What it does not show.** What the idea is worth: a finer grid of one idea is the same idea. Trials that
# were made elsewhere are not in the count (`other_trials=`). Times are those of this machine, with whatever
# else it was doing.

# %%
if not folder:  # this text was written beside the simulated market: say so where it no longer fits
    assert sweep.trials == count == 10_000
    assert found.skill is not True
    assert luck > 0.5
    assert found.parameters["lookback"] == min(grid["lookback"])
    assert found.parameters["entry"] == max(grid["entry"])
