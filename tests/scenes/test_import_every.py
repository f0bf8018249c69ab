"""What may be wrong with a data set on a disk, tried on all of them: it is named and counted, nothing else is lost."""

import io
import json
import struct
import unicodedata
from zlib import crc32

import cv2
import numpy as np
import pytest
from officialhere import HEIGHT, WIDTH, blocks, photo, put
from PIL import Image
from test_import_cityscapes import write_city
from test_import_objects import write_ade, write_coco, write_context, write_voc
from test_import_streets import write_bdd, write_gta, write_synthia

from segfrontier.errors import BadWorld
from segfrontier.market.coarse import coarse_map
from segfrontier.scenes.importing import DATASETS, import_dataset
from segfrontier.scenes.importing.pairing import find
from segfrontier.scenes.pascal import PASCAL_CONTEXT


def _synthia(root):
    write_synthia(root)
    for folder in ("RGB", "GT/LABELS"):
        put(root / folder / "0000001.png", (root / folder / "0000000.png").read_bytes())


def _synscapes(root):
    for number in (1, 2):
        put(root / f"img/rgb/{number}.png", photo(number))
        put(root / f"img/class/{number}.png", blocks(7, 24, 26))
        put(root / f"img/instance/{number}.png", np.full((HEIGHT, WIDTH, 3), 5, np.uint8))


def _urbansyn(root):
    for number in (1, 2):
        put(root / f"rgb/rgb_{number:04d}.png", photo(number))
        put(root / f"ss/ss_{number:04d}.png", blocks(0, 13, 18, 19, 255))


WRITE = {
    "cityscapes": write_city, "cityscapes-extra": lambda root: write_city(root, extra=2), "gta5": write_gta,
    "synthia": _synthia, "synscapes": _synscapes, "urbansyn": _urbansyn, "bdd100k": write_bdd,
    "bdd100k-divided": write_bdd, "voc": write_voc, "voc-alone": write_voc,
    "pascal-context": lambda root: write_context(root, ["accordion", *PASCAL_CONTEXT.names[1:]]),
    "coco": write_coco, "ade20k": write_ade,
}  # fmt: skip


@pytest.fixture(params=sorted(DATASETS))
def name(request):
    """Each data set; one that is new must have a miniature here."""
    return request.param


def imported(name, root, place, **options):
    coarsen = coarse_map if DATASETS[name].fine is not None else None
    return import_dataset(name, root, place, coarsen=coarsen, **options)


def miniature(name, root):
    """Written; its scenes' files."""
    WRITE[name](root)
    return find(DATASETS[name], root).items


def colour(form="PNG", mode="RGB", size=(HEIGHT, WIDTH), **options):
    data = io.BytesIO()
    Image.new(mode, size[::-1], (1,) * len(mode)).save(data, form, **options)
    return data.getvalue()


def deep(channels, size):
    """A PNG of 16 bits a channel, whose upper halves are 1."""
    return cv2.imencode(".png", np.full((*size, channels), 300, np.uint16))[1].tobytes()


def _broken(whole, size):
    """What a file may be instead of itself, and cannot be used."""
    return {
        "empty": b"", "cut": whole[: len(whole) // 2], "text": b"not a file of this kind", "deep": deep(3, size),
        "deep with alpha": deep(4, size), "link to itself": None,
    }  # fmt: skip


@pytest.mark.parametrize("damage", list(_broken(b"", (1, 1))))
def test_a_file_that_cannot_be_used_is_named_and_its_scene_alone_is_left_out(name, tmp_path, damage):
    items = miniature(name, tmp_path / "data")
    first, tried = items[0], 0
    for kind, path in (("image", first.image), *first.labels.items()):
        if name == "synthia" and kind == "semantic" and damage.startswith("deep"):
            continue  # its labels are that deep
        whole = path.read_bytes()
        with Image.open(io.BytesIO(whole if kind == "image" else first.image.read_bytes())) as image:
            data = _broken(whole, image.size[::-1])[damage]
        path.unlink()
        path.symlink_to(path.name) if data is None else path.write_bytes(data)
        place = tmp_path / f"world-{kind}"
        world = imported(name, tmp_path / "data", place, max_bad=1.0)
        (line,) = [line for line in world.manifest.notes.skipped if str(path) in line]
        assert line.count(". ") <= 2 and sum(world.splits().values()) == len(items) - 1, (kind, line)
        path.unlink()
        path.write_bytes(whole)
        tried += 1
    assert tried
    assert sum(imported(name, tmp_path / "data", tmp_path / "world").splits().values()) == len(items)


def test_alpha_and_rotation_of_an_image_are_remarked(name, tmp_path):
    items = miniature(name, tmp_path / "data")
    exif = Image.Exif()
    exif[0x0112] = 6
    for item, options, says in (
        (items[0], {"mode": "RGBA"}, "has an alpha channel, which is not read"),
        (items[1], {"exif": exif.tobytes()}, "has the rotation flag 6, which is not followed"),
    ):
        with Image.open(item.image) as image:
            size = image.size[::-1]
        item.image.write_bytes(colour(size=size, **options))
        world = imported(name, tmp_path / "data", tmp_path / says[:14])
        assert [r for r in world.manifest.notes.remarks if str(item.image) in r and says in r]
        assert sum(world.splits().values()) == len(items)


def with_chunk(data, kind, payload, *, before):
    """A PNG with one more chunk."""
    at = data.index(before) - 4
    return (
        data[:at]
        + struct.pack(">I4s", len(payload), kind)
        + payload
        + struct.pack(">I", crc32(kind + payload))
        + data[at:]
    )


@pytest.mark.parametrize("what", ["has an alpha channel", "has the rotation flag 6"])
def test_alpha_and_rotation_of_a_label_file_are_remarked_and_change_no_label(name, tmp_path, what):
    items = [
        item for item in miniature(name, tmp_path / "data") if any(p.suffix == ".png" for p in item.labels.values())
    ]
    if not items:
        assert name == "pascal-context", "all others have PNG files"
        return
    plain = imported(name, tmp_path / "data", tmp_path / "plain")
    exif = Image.Exif()
    exif[0x0112] = 6
    changed = [path for path in items[0].labels.values() if path.suffix == ".png"]
    for path in changed:
        whole = path.read_bytes()
        if "alpha" in what:
            transparent = {0: b"\0\1", 2: b"\0\1\0\1\0\1", 3: b"\0\x80"}[whole[25]]
            path.write_bytes(with_chunk(whole, b"tRNS", transparent, before=b"IDAT"))
        else:
            path.write_bytes(with_chunk(whole, b"eXIf", exif.tobytes()[6:], before=b"IEND"))
    world = imported(name, tmp_path / "data", tmp_path / "world")
    said = [line for line in world.manifest.notes.remarks if what in line]
    assert sorted(line.partition(": ")[0] for line in said) == sorted(map(str, changed))
    assert world.splits() == plain.splits() and not [line for line in plain.manifest.notes.remarks if what in line]
    truths = [[shard.truth_digest for shard in one.manifest.shards] for one in (world, plain)]
    assert truths[0] == truths[1] and any(truths[0])


def test_a_root_that_is_none_says_what_was_looked_for(name, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    (tmp_path / "loop").symlink_to("loop")
    looked = DATASETS[name].layouts[0][0].images
    for root, found in (("empty", "found nothing"), ("file", "no such folder"), ("loop", "no such folder")):
        with pytest.raises(BadWorld) as error:
            imported(name, tmp_path / root, tmp_path / "world")
        told = str(error.value)
        assert looked in told and found in told and str(tmp_path / root) in told
        assert told.count(looked) == 1, "each place once, though several parts share it"
    for root in ("a\0b", "x" * 5000):
        with pytest.raises(BadWorld):
            imported(name, tmp_path / root, tmp_path / "world")


def test_without_its_labels_it_is_refused_and_a_folder_that_leads_out_is_named(name, tmp_path):
    items = miniature(name, tmp_path / "data")
    for number, folder in enumerate(sorted({path.parent for item in items for path in item.paths})):
        away = tmp_path / f"away{number}"
        folder.rename(away)
        folder.symlink_to(folder.name)
        try:
            world = imported(name, tmp_path / "data", tmp_path / f"loop{number}")
            notes = world.manifest.notes
            assert notes.images_without_labels or notes.labels_without_images or notes.remarks, "it is told"
        except BadWorld as error:
            assert str(tmp_path / "data") in str(error)
        folder.unlink()
        folder.symlink_to(away)
        world = imported(name, tmp_path / "data", tmp_path / f"out{number}")
        assert sum(world.splits().values()) == len(items)
        assert [r for r in world.manifest.notes.remarks if f"{folder}: leads out of" in r]
        folder.unlink()
        away.rename(folder)


@pytest.mark.parametrize("split", ["train", "val"])
def test_a_split_without_any_label_is_refused_and_not_left_out(name, tmp_path, split):
    items = miniature(name, tmp_path / "data")
    gone = [item for item in items if item.split == split]
    if not gone:
        assert split == "val", "synthetic sets have training images alone"
        return
    taken = {path for item in gone for path in item.labels.values()}
    for path in taken:
        path.unlink()
    for path in (tmp_path / "data").rglob(f"panoptic_{split}*.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"annotations": []}))
    with pytest.raises(BadWorld) as error:
        imported(name, tmp_path / "data", tmp_path / "world")
    told, some = str(error.value), str(gone[0].image.parent)
    assert "has the label file" in told and "Unpack the label archive there, too" in told and some in told
    assert ("--unlabelled" in told) == (split == "train")
    if split == "train" and len(gone) < len(items):
        world = imported(name, tmp_path / "data", tmp_path / "world", unlabelled=True)
        assert sum(world.splits().values()) >= len(items), "images of train are scenes without labels"


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_name_with_blanks_and_umlauts_loses_nothing(name, tmp_path, form):
    """Images spell an umlaut as one character, labels as two; lists and JSON files, that name scenes, as either."""
    items, root = miniature(name, tmp_path / "data"), tmp_path / "data"
    old, new = items[0].id.rpartition("/")[2], "zürich am see 1"
    for path, spelling in zip(items[0].paths, ("NFC", *["NFD"] * len(items[0].labels)), strict=True):
        path.rename(path.with_name(unicodedata.normalize(spelling, path.name.replace(old, new))))
    for path in (*root.rglob("*.txt"), *root.rglob("panoptic*.json")):
        path.write_text(path.read_text().replace(old, unicodedata.normalize(form, new)))
    world = imported(name, root, tmp_path / "world")
    notes = world.manifest.notes
    assert sum(world.splits().values()) == len(items) and not notes.images_without_labels, notes
    assert [scene for scene in world.pool(domain=DATASETS[name].domain).scenes() if scene.endswith(f"/{new}")]


def test_twins_that_differ_in_case_alone_are_both_scenes_and_named(name, tmp_path):
    items, root = miniature(name, tmp_path / "data"), tmp_path / "data"
    old = items[0].id.rpartition("/")[2]
    for new in ("twin_1", "TWIN_1"):
        for path in items[0].paths:
            put(path.with_name(path.name.replace(old, new)), path.read_bytes())
    for path in root.rglob("*.txt"):
        if old in (lines := path.read_text().split("\n")):
            path.write_text("\n".join([*lines, "twin_1", "TWIN_1"]))
    for path in root.rglob("panoptic*.json"):
        if old in (text := path.read_text()):
            plain = json.loads(text)
            (one,) = plain["annotations"]
            plain["annotations"] += [one | {"file_name": f"{new}.png"} for new in ("twin_1", "TWIN_1")]
            path.write_text(json.dumps(plain))
    world = imported(name, root, tmp_path / "world")
    assert sum(world.splits().values()) == len(items) + 2
    assert [r for r in world.manifest.notes.remarks if "in upper and lower case alone" in r]


def test_a_cityscapes_map_without_objects_may_have_8_bits(tmp_path):
    """Counting by thousands in 8 bits overflows; a scene without things has no id above 33."""
    root = write_city(tmp_path / "city", count=1)
    (path,) = (root / "gtFine/train/weimar").glob("*_instanceIds.png")
    put(path, blocks(7, 11))
    put(path.with_name(path.name.replace("instanceIds", "labelIds")), blocks(7, 11))
    world = imported("cityscapes", root, tmp_path / "world")
    assert not world.truth().instance("train/weimar/weimar_000000_000019").any()
    assert not world.manifest.notes.skipped and not world.manifest.notes.remarks
