"""Records of every cell in MLflow, behind a spool that survives an outage. Importing this imports no MLflow."""

from segfrontier.tracking.address import hidden as hidden
from segfrontier.tracking.address import is_server as is_server
from segfrontier.tracking.address import resolve as resolve
from segfrontier.tracking.companion import Writer as Writer
from segfrontier.tracking.replaying import Replayed as Replayed
from segfrontier.tracking.replaying import replay as replay
from segfrontier.tracking.spool import Spool as Spool
from segfrontier.tracking.spool import SpoolHeld as SpoolHeld
