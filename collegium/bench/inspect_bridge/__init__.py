"""Inspect AI, both ways: systems as its solvers, its tasks as benchmarks, traces as its logs.

The bridge lives in this room because it needs systems, models and scorers, and is itself needed by
nothing but the command line. Benchmarks and models find it by its name, when one is asked for.

* ``inspect eval TASK --solver collegium/dylan -S rounds=2``: :mod:`.solver`
* ``inspect eval TASK --model collegium/local``: :mod:`.model`
* ``collegium compare direct cot --on inspect:FILE@TASK``: :mod:`.tasks`
* ``collegium trace last --inspect FILE.eval``: :mod:`.logs`

Inspect is imported when one of these modules is; it is the extra ``inspect``.
"""
