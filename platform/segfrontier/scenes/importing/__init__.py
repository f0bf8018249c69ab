"""From a data set's files to a world: pair, check, map, write.

One engine (`engine`: all cores, going on after a kill, naming and counting what it leaves out), and what it imports:
folders that a YAML describes (`described`), and known data sets in their official layout, one small file each, which
holds data: templates, class table, splits (`catalogue` lists them).
"""

from segfrontier.scenes.importing.catalogue import DATASETS as DATASETS
from segfrontier.scenes.importing.catalogue import import_dataset as import_dataset
from segfrontier.scenes.importing.described import import_folders as import_folders
