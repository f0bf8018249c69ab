"""The hand-made study of tests/study, for tests of commands."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "study"))

from madestudy import record as record
from madestudy import study as made_study  # noqa: F401
