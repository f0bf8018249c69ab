"""CamVid in the SegNet tutorial's layout: `train`, `trainannot`, `val`, `valannot` and, where present, `test`."""

from __future__ import annotations

from pathlib import Path

from segfrontier.errors import BadWorld
from segfrontier.scenes.classes import CAMVID
from segfrontier.scenes.folders import FolderClass, FolderSpec, SplitPaths


def camvid_spec(root: str | Path) -> FolderSpec:
    """The description of a CamVid folder. Connected components stand in for instances, which CamVid lacks."""
    root = Path(root)
    if not (root / "trainannot").is_dir():
        raise BadWorld(
            f"{root}: CamVid in the SegNet layout has the folders train, trainannot, val, valannot; not so here"
        )
    return FolderSpec(
        name="camvid",
        root=root,
        encoding="ids",
        splits={
            split: SplitPaths(images=f"{split}/{{id}}.*", semantic=f"{split}annot/{{id}}.png", optional=split == "test")
            for split in ("train", "val", "test")
        },
        classes=tuple(FolderClass(name=c.name, colour=c.colour, ids=c.raw_ids, thing=c.thing) for c in CAMVID.classes),
        void=CAMVID.void_ids,
        instances="components",
    )
