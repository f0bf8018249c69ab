"""Worlds and label sets on their way out: folders that import again, and COCO's panoptic form.

Images leave byte for byte as they were delivered, maps without loss. What is written lies beside its place under a
draft's name, and is there at once or not at all.
"""

from segfrontier.scenes.exporting.engine import FORMS, ExportedWorld, export_world
from segfrontier.scenes.exporting.sets import open_label_set

__all__ = ["FORMS", "ExportedWorld", "export_world", "open_label_set"]
