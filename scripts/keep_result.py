"""Put the JSON of a comparison into ``results/``, without what belongs to the machine it ran on.

``collegium compare ... --json | python scripts/keep_result.py results/BENCHMARK/MODEL.json``
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import msgspec


def kept(report: dict[str, Any]) -> dict[str, Any]:
    """A report without paths: where its files lay, and the folders its command named."""
    report = {key: value for key, value in report.items() if key != "files"}
    report["command"] = re.sub(r" --(out|json)( /\S+)?", "", report["command"])
    return report


def main() -> None:
    """Read a report from standard input and write it to the file that is named."""
    path = Path(sys.argv[1])
    report = kept(msgspec.json.decode(sys.stdin.buffer.read()))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n")


if __name__ == "__main__":
    main()
