"""Take a picture of the head of a report, for README.md and the documentation.

python scripts/picture.py report.html docs/assets/report.png
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

WIDTH, HEIGHT = 1200, 1280


def take_picture(page: Path, picture: Path, *, height: int = HEIGHT) -> None:
    """Let a headless browser show a page and save what it shows.

    Args:
        page: An HTML file.
        picture: The PNG file to write.
        height: Pixels of the page to show, from its top.
    """
    browser = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), "")
    if not browser:
        raise SystemExit("a browser is needed: apt install chromium")
    picture.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                browser,
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--hide-scrollbars",
                f"--user-data-dir={profile}",
                f"--window-size={WIDTH},{height}",
                f"--screenshot={picture.resolve()}",
                page.resolve().as_uri(),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )
    if not picture.is_file():
        raise SystemExit(f"the browser made no picture of {page}")


def main() -> None:
    """Read the command line."""
    if len(sys.argv) not in (3, 4):
        raise SystemExit(__doc__)
    height = int(sys.argv[3]) if len(sys.argv) == 4 else HEIGHT
    take_picture(Path(sys.argv[1]), Path(sys.argv[2]), height=height)


if __name__ == "__main__":
    main()
