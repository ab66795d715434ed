"""AgentTorch's epidemic, driven from outside; run by :mod:`collegium.bench.speed_society`.

It needs agent-torch and nothing of collegium, so any Python that has that can run it:

    python -P society_agenttorch.py AGENTS CONTACTS STEPS

The model is the package's own, but for its loader of networks: that makes a matrix with a cell for
every pair of agents, which no machine has room for beyond some thousands. Here it gets the same
contacts as a list of edges, which is what its rules use. One JSON object is written: seconds of
every step, the largest memory used, and the cases.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest.mock import MagicMock

SEED = 7


def write_population(folder: Path, agents: int, infected: float) -> None:
    """A population in the package's form."""
    import numpy as np
    import pandas as pd  # pyright: ignore[reportMissingImports]

    rng = np.random.default_rng(SEED)
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    for name, values in {"age": 6, "gender": 2, "ethnicity": 6, "area": 1}.items():
        column = pd.Series(rng.integers(0, values, agents))
        with (folder / f"{name}.pickle").open("wb") as file:
            pickle.dump(column, file)
    stages = (rng.random(agents) < infected).astype(float)
    pd.DataFrame({"stages": stages}).to_csv(folder / "disease_stages.csv", index=False)


def edges_of(agents: int, contacts: int) -> Any:
    """A random regular network: the union of circles in random order."""
    import numpy as np
    import torch  # pyright: ignore[reportMissingImports]

    rng = np.random.default_rng(SEED)
    ends = []
    for _ in range(contacts // 2):
        order = rng.permutation(agents)
        ends.append(np.stack([order, np.roll(order, 1)]))
    forward = torch.from_numpy(np.concatenate(ends, axis=1))
    both = torch.hstack([forward, forward.flip(0)])
    kind = torch.ones(both.shape[1]).long()
    return both, torch.vstack((kind, torch.ones(both.shape[1])))


def peak() -> int:
    """Most bytes of memory this program has had; what was there before it began does not count."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def main() -> None:
    """Measure one size."""
    agents, contacts, steps = map(int, sys.argv[1:4])
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    sys.modules["dspy"] = MagicMock()  # imported for prompts, which no step of this run makes
    with tempfile.TemporaryDirectory() as name:
        sys.path.insert(0, name)
        write_population(Path(name) / "made_population", agents, 0.01)
        utils: Any = importlib.import_module("agent_torch.models.covid.substeps.utils")
        utils.network_from_file = lambda params: (None, edges_of(agents, contacts))
        covid = importlib.import_module("agent_torch.models.covid")
        made = importlib.import_module("made_population")
        executor = importlib.import_module("agent_torch.core.executor")
        loader = importlib.import_module("agent_torch.core.dataloader")
        data = loader.DataLoader(covid, loader.LoadPopulation(made))
        data.set_config_attribute("EXECUTION_MODE", "heuristic")  # isolation without a model
        runner = executor.Executor(model=covid, data_loader=data).runner
        runner.init()
        torch = importlib.import_module("torch")
        seconds = []
        with torch.no_grad():
            for _ in range(steps):
                # one step at a time, and no trajectory kept: the quickest way it can be run
                runner.reset_state_before_episode()
                begin = perf_counter()
                runner.step(1)
                seconds.append(perf_counter() - begin)
                runner.state_trajectory.clear()
    found = {"version": version("agent-torch"), "seconds": seconds, "memory": peak()}
    print(json.dumps(found), file=answer, flush=True)


if __name__ == "__main__":
    main()
