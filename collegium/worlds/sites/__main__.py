"""Make all sites, one after another: python -m collegium.worlds.sites.

One that cannot be made does not keep the others from it; the exit code is 1 then.
"""

from __future__ import annotations

import sys

from collegium.errors import CollegiumError
from collegium.worlds.sites.install import make
from collegium.worlds.sites.site import SITES


def main() -> None:
    """Make them."""
    failed = 0
    for site in SITES.values():
        try:
            make(site, print)
        except CollegiumError as problem:
            print(problem, file=sys.stderr)
            failed = 1
    sys.exit(failed)


if __name__ == "__main__":
    main()
