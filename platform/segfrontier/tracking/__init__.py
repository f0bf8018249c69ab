"""A study's cells in MLflow: what the home holds of them is synced to their runs, by a process beside the study.

Nothing of a study stands here alone: an MLflow that is away, late or emptied costs nothing. Importing this imports no
MLflow. What cells come to, in words and pictures, is the report's to say.
"""

from segfrontier.tracking.address import hidden as hidden
from segfrontier.tracking.address import is_server as is_server
from segfrontier.tracking.address import resolve as resolve
from segfrontier.tracking.companion import Companion as Companion
