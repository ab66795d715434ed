"""How a comparison writes its numbers and names."""

from __future__ import annotations

from collections.abc import Sequence


def short_names(names: Sequence[str]) -> dict[str, str]:
    """What to call systems where room is short: by name and the parameters that tell them apart.

    Args:
        names: Full names ("mad:agents=3,rounds=2").

    Returns:
        Short names by full name, as unique as those.
    """
    split = {name: (name.partition(":")[0], name.partition(":")[2].split(",")) for name in names}
    short: dict[str, str] = {}
    for name, (base, settings) in split.items():
        rivals = [theirs for other, (b, theirs) in split.items() if b == base and other != name]
        own = [s for s in settings if s and any(s not in theirs for theirs in rivals)]
        short[name] = f"{base}:{','.join(own)}" if own else base
    return short if len(set(short.values())) == len(short) else {name: name for name in names}


def percent(share: float) -> str:
    """A share of 1 as a percentage with one decimal: "56.7%"."""
    return f"{100 * share:.1f}%"


def points(difference: float, *, unit: bool = True) -> str:
    """A difference of shares in percentage points, signed: "+3.3 points"."""
    rounded = round(100 * difference, 1) + 0.0  # no negative zero
    sign = "−" if rounded < 0 else "+" if rounded > 0 else ""
    return f"{sign}{abs(rounded):.1f}{' points' if unit else ''}"


def p_value(p: float, name: str = "p") -> str:
    """A p-value as papers print it: "p = 0.031", "p < 0.001"; the number alone without a name."""
    text = "< 0.001" if p < 0.001 else f"= {p:.3f}" if p < 0.1 else f"= {p:.2f}"
    return f"{name} {text}" if name else text.removeprefix("= ")


def listed(names: Sequence[str]) -> str:
    """Join names: "a, b and c"."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"
