"""Makes the helpers of the tests importable, from wherever they are started."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[2]))
