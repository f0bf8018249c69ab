"""Makes the hand-made study of tests/study importable here, too."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "study"))
