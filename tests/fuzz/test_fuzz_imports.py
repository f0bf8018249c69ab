"""Data sets of every kind, mutated file by file: an import makes a whole world, or says why not and leaves nothing."""

import io

import cv2
import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from test_fuzz_files import TRIED, survives

from segfrontier.scenes.folders import FolderSpec
from segfrontier.scenes.importing import import_folders
from segfrontier.scenes.inspection import inspect_world
from segfrontier.scenes.world import World

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
SIZE = (8, 12)


def png(array):
    ok, data = cv2.imencode(".png", array)
    assert ok
    return data.tobytes()


def pillow(mode, form="PNG", size=SIZE, fill=1):
    data = io.BytesIO()
    Image.new(mode, size[::-1], fill if len(mode) < 2 else (fill,) * len(Image.new(mode, (1, 1)).getbands())).save(
        data, form
    )
    return data.getvalue()


def claimed(width, height):
    """A PNG whose header says another size."""
    data = pillow("L")
    return data[:16] + width.to_bytes(4, "big") + height.to_bytes(4, "big") + data[24:]


MAP = png(np.tile(np.array([0, 1, 255], np.uint8), (8, 4)))
FILES = {
    "whole": None, "empty": b"", "text": b"not an image", "cut": MAP[:40], "deep": png(np.zeros(SIZE, np.uint16)),
    "deep colour": png(np.full((*SIZE, 3), 300, np.uint16)), "strange ids": png(np.full(SIZE, 77, np.uint8)),
    "colour": pillow("RGB"), "palette": pillow("P"), "bits": pillow("1"), "float": pillow("F", "TIFF", fill=0.5),
    "alpha": pillow("RGBA"), "cmyk": pillow("CMYK", "JPEG"), "gif": pillow("P", "GIF"), "jpeg": pillow("L", "JPEG"),
    "other size": png(np.zeros((8, 11), np.uint8)), "one pixel": png(np.zeros((1, 1), np.uint8)),
    "huge": claimed(60_000, 60_000), "no width": claimed(0, 8), "longest": claimed(2**31 - 1, 2**31 - 1),
}  # fmt: skip
PLACES = ("file", "folder", "link to nothing", "link to itself")
TEMPLATES = (
    "images/{id}.png", "labels/{id}.png", "images/*/{id}.png", "images/{id}/{id}.png", "**/{id}.png", "**{id}", "{id}",
    "{id}/{id}", "/etc/{id}", "../{id}.png", "images/{ID}.png", "images/{}.png", "images/{id", "images/a.png", "", ".",
    "images//{id}.png", "images/{id}.{id}", "a\0{id}", "x" * 5000 + "{id}", "[{id}].png", "images/?{id}.png",
)  # fmt: skip
CLASSES = (
    [{"name": "road", "colour": [1, 2, 3], "ids": [0]}, {"name": "car", "colour": [4, 5, 6], "ids": [1]}],
    [{"name": "road", "colour": [1, 1, 1], "ids": [0, 1]}],
    [{"name": "road", "colour": [1, 1, 1], "ids": [0]}, {"name": "car", "colour": [1, 1, 1], "ids": [0]}],
    [{"name": "road", "colour": [0, 0, 0], "ids": []}],
    [{"name": f"c{i}", "colour": [i % 256, i // 256, 0], "ids": [i]} for i in range(300)],
)  # fmt: skip
mostly = st.integers(0, 3).map(bool)


def put(place, data, kind):
    """One file of a data set, or what stands in its place."""
    place.parent.mkdir(parents=True, exist_ok=True)
    if kind == "folder":
        place.mkdir()
    elif kind.startswith("link"):
        place.symlink_to("nowhere" if kind == "link to nothing" else place.name)
    else:
        place.write_bytes(data)


def seen(folder):
    """All of a folder, to see that nothing in it has changed."""
    return {p: p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


@given(data=st.data())
@TRIED
def test_an_import_makes_a_whole_world_or_says_why_not(tmp_path_factory, data):
    root = tmp_path_factory.mktemp("import") / "data"
    for part, right in (("images", png(np.full((*SIZE, 3), 9, np.uint8))), ("labels", MAP)):
        for name in "abc":
            plain = data.draw(mostly, label=f"{part}/{name} as it should be")
            found = None if plain else FILES[data.draw(st.sampled_from(sorted(FILES)))]
            kind = "file" if data.draw(mostly) else data.draw(st.sampled_from(PLACES))
            put(root / part / f"{name}.png", right if found is None else found, kind)
    images, labels = (
        right if data.draw(mostly) else data.draw(st.sampled_from(TEMPLATES))
        for right in ("images/{id}.png", "labels/{id}.png")
    )
    spec = {
        "name": "mine", "encoding": data.draw(st.sampled_from(["ids", "ids", "ids", "colours", "instances"])),
        "splits": {"train": {"images": images, "semantic": labels}}, "void": [255],
        "classes": CLASSES[0] if data.draw(mostly) else data.draw(st.sampled_from(CLASSES)),
        "instances": data.draw(st.sampled_from(["none", "components"])),
    }  # fmt: skip
    (root / "mine.yaml").write_text(yaml.safe_dump(spec))
    before, target = seen(root), root.parent / "world"
    share = data.draw(st.sampled_from([0.0, 0.01, 0.5, 1.0]), label="share that may be left out")
    world = survives(lambda: import_folders(FolderSpec.load(root / "mine.yaml"), target, max_bad=share))
    assert seen(root) == before
    assert [p.name for p in root.parent.iterdir() if p != root] == ([] if world is None else ["world"])
    if world is not None:
        again = World.open(target)
        assert sum(again.splits().values()) and inspect_world(again).splits
        assert {again.truth().semantic(s).shape for s in again.pool().scenes()} == {SIZE}
