"""Labels that exist, as files that an import reads again: a COCO-style JSON file of boxes, a table of tags."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from segfrontier.scenes.classes import ClassTable
from segfrontier.scenes.exporting.content import Content
from segfrontier.scenes.exporting.layouts import put

_FILES = {"box": "boxes.json", "tag": "tags.csv"}


class ExistingFiles:
    """The boxes and tags of all scenes, by the paths of their images."""

    def __init__(self, stated: Mapping[str, Decimal], classes: ClassTable) -> None:
        self._stated, self._classes = stated, classes
        self._images: list[dict[str, Any]] = []
        self._boxes: list[dict[str, Any]] = []
        self._tags: list[tuple[str, str]] = []

    def take(self, image: str, content: Content) -> None:
        """Keep what exists of a scene."""
        if content.boxes is not None:
            number = len(self._images) + 1
            self._images.append({"id": number, "file_name": image, "height": content.size[0], "width": content.size[1]})
            for x0, y0, x1, y1, label, group in content.boxes.tolist():
                self._boxes.append({
                    "id": len(self._boxes) + 1, "image_id": number, "category_id": label + 1, "iscrowd": group,
                    "bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0),
                })  # fmt: skip
        if content.tags is not None:
            names = [self._classes.names[label] for label in content.tags[:, 1]]
            self._tags += [(image, name) for name in names or [""]]

    def finish(self, draft: Path) -> dict[str, Any]:
        """Write the files; returns what a description says of them."""
        if "box" in self._stated:
            categories = [{"id": label + 1, "name": name} for label, name in enumerate(self._classes.names)]
            plain = {"images": self._images, "categories": categories, "annotations": self._boxes}
            put(draft / _FILES["box"], json.dumps(plain).encode())
        if "tag" in self._stated:
            text = io.StringIO(newline="")
            csv.writer(text).writerows([("image", "tag"), *self._tags])
            put(draft / _FILES["tag"], text.getvalue().encode())
        names = {"box": "boxes", "tag": "tags"}
        given = {names[k]: {"file": _FILES[k], "seconds": float(s)} for k, s in self._stated.items()}
        return {"existing": given} if given else {}
