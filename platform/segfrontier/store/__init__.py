"""The stage store: results by the hash of all that went into them, computed once.

What a stage computes is not for this room: it knows keys, files and who is at work.
"""

from segfrontier.store.entry import Entry as Entry
from segfrontier.store.gc import Swept as Swept
from segfrontier.store.gc import choose as choose
from segfrontier.store.keys import stage_key as stage_key
from segfrontier.store.rows import StoreRow as StoreRow
from segfrontier.store.rows import human_age as human_age
from segfrontier.store.rows import human_size as human_size
from segfrontier.store.rows import parse_age as parse_age
from segfrontier.store.rows import parse_size as parse_size
from segfrontier.store.source import code_digest as code_digest
from segfrontier.store.source import still_sources as still_sources
from segfrontier.store.store import Store as Store
