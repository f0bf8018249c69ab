"""A data set of a user's own folders in the toy classes: images with fine labels, coarse ones, or none."""

import json

import cv2
import numpy as np
import yaml
from toyworld import TOY, toy_scene

from segfrontier.scenes.folders import FolderSpec

RAW = np.full(256, 0, np.uint8)
RAW[[0, 1, 2]] = 7, 11, 26


def files(root, name, part):
    """A scene's image, and its labels in a folder of that name."""
    scene = toy_scene(sum(map(ord, name)), coarse=True)
    (root / "img" / name).parent.mkdir(parents=True, exist_ok=True)
    (root / f"img/{name}.png").write_bytes(scene.image)
    if part:
        (root / part / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / f"{part}/{name}.png"), RAW[scene.semantic if part == "gt" else scene.coarse])


def described(root, *, instances="components", existing=None, **changes):
    """The YAML of a folder with train and val; `changes` are further keys of the split train."""
    train = {"images": "img/train/{id}.png", "semantic": "gt/train/{id}.png"} | changes
    splits = {"train": train, "val": {"images": "img/val/{id}.png", "semantic": "gt/val/{id}.png"}}
    classes = [
        {"name": c.name, "colour": list(c.colour), "ids": list(c.raw_ids), "thing": c.thing} for c in TOY.classes
    ]
    spec = {"name": "mixed", "encoding": "ids", "splits": splits, "classes": classes, "void": [0],
            "instances": instances}  # fmt: skip
    (root / "mixed.yaml").write_text(yaml.safe_dump(spec | ({} if existing is None else {"existing": existing})))
    return FolderSpec.load(root / "mixed.yaml")


def coco(root, images, boxes, *, categories=("car",), name="boxes.json", **more):
    """A COCO-style file; `boxes` are (place in `images`, x, y, width, height), and may have further fields."""
    numbers = {name: number for number, name in enumerate(categories, start=5)}
    rows = [
        {"id": n, "image_id": image, "category_id": numbers[fields.get("category", "car")], "bbox": list(box)}
        | {key: value for key, value in fields.items() if key != "category"}
        for n, (image, *box, fields) in enumerate((*b, {}) if not isinstance(b[-1], dict) else b for b in boxes)
    ]
    plain = {
        "images": [{"id": n, "file_name": image} | more for n, image in enumerate(images)],
        "categories": [{"id": number, "name": name} for name, number in numbers.items()],
        "annotations": rows,
    }
    (root / name).write_text(json.dumps(plain))
    return name


def pool_with_boxes_and_tags(root, *, boxes=0, tags=0.5, fine=()):
    """Four images without masks that have two boxes and their tags each, made elsewhere; three to score on."""
    names = [f"b{n}" for n in range(4)]
    for name in names:
        files(root, f"train/{name}", "gt" if name in fine else None)
    for n in range(3):
        files(root, f"val/v{n}", "gt")
    pairs = [(n, x, 10, 7, 6) for n in range(4) for x in (6, 18.25)]
    coco(root, [f"{name}.png" for name in names], pairs)
    (root / "tags.csv").write_text(
        "image,tag\n" + "".join(f"{n}.png,ground\n{n}.png,car\n{n}.png,wall\n" for n in names)
    )
    given = {"boxes": {"file": "boxes.json", "seconds": boxes}, "tags": {"file": "tags.csv", "seconds": tags}}
    changes = {} if fine else {"semantic": None}
    return described(root, unlabelled=True, existing=given, **changes)
