"""Fill a site from its data. Run as: python seed.py.

The clock stands at the times that the data names while something is written, so that whatever a
library stamps with "now" gets the time it should have.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent / os.environ["SITE_NAME"]))

import common
import fill

common.stay_here()
fill.fill(common.data())
