"""Small hand-made scenes in three classes, for tests that need a world and no street."""

import numpy as np

from segfrontier.scenes.classes import ClassTable, SceneClass
from segfrontier.scenes.codec import encode_image
from segfrontier.scenes.world import World
from segfrontier.scenes.writer import Scene, WorldWriter

TOY = ClassTable(
    name="toy",
    classes=(
        SceneClass(name="ground", colour=(120, 60, 120), raw_ids=(7,)),
        SceneClass(name="wall", colour=(90, 90, 90), raw_ids=(11, 12)),
        SceneClass(name="car", colour=(0, 0, 140), thing=True, raw_ids=(26,)),
    ),
    void_ids=(0, 255),
)


def toy_scene(number: int, *, domain="target", split="train", height=24, width=32, coarse=False) -> Scene:
    """Ground below, wall above, two cars of instance 1 and 2, a strip of void."""
    rng = np.random.default_rng(number)
    semantic = np.zeros((height, width), np.uint8)
    semantic[: height // 2] = 1
    semantic[:, :2] = 255
    instance = np.zeros((height, width), np.uint16)
    for i, left in enumerate((6 + number % 3, 18 + number % 5), start=1):
        semantic[10:16, left : left + 7] = 2
        instance[10:16, left : left + 7] = i
    image = np.clip(TOY.palette[semantic].astype(int) + rng.integers(-20, 20, (height, width, 3)), 0, 255)
    return Scene(
        id=f"{domain}/{split}/{number:03d}",
        domain=domain,
        split=split,
        height=height,
        width=width,
        image=encode_image(image.astype(np.uint8)),
        semantic=semantic,
        instance=instance,
        coarse=np.where(semantic == 2, 255, semantic).astype(np.uint8) if coarse else None,
    )


def write_toy(folder, *, shard_bytes=10_000, coarse=False, **sizes) -> World:
    """A toy world; `sizes` are keyword counts such as target_train=6."""
    sizes = sizes or {"source_train": 5, "target_train": 6, "target_val": 3}
    with WorldWriter(folder, name="toy", classes=TOY, shard_bytes=shard_bytes) as out:
        start = 0
        for key, count in sizes.items():
            domain, split = key.split("_")
            for number in range(start, start + count):
                out.add(toy_scene(number, domain=domain, split=split, coarse=coarse))
            start += count
    return World.open(folder)
