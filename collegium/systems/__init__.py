"""One file per published system; the baselines every comparison needs are among them.

A system is an async function ``solve(task, kernel, **parameters) -> Result`` registered with
:func:`system`. Everything it does to the outside world is a call through the kernel.
"""

from collegium.systems.system import Result, System, get_system, parse_system, system, systems

__all__ = ["Result", "System", "get_system", "parse_system", "system", "systems"]
