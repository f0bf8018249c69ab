"""Importing datasets: the declared encoding is followed, everything else is told with file, value and advice."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image
from toyworld import TOY, toy_scene

from segfrontier.errors import BadWorld
from segfrontier.scenes.camvid import camvid_spec
from segfrontier.scenes.folders import FolderSpec
from segfrontier.scenes.importing import import_folders
from segfrontier.scenes.inspection import inspect_world
from segfrontier.scenes.preview import contact_sheet
from segfrontier.scenes.world import World

RAW = np.full(256, 0, np.uint8)
RAW[[0, 1, 2]] = 7, 11, 26


def make_dataset(root: Path, *, encoding="ids", count=4, **changes) -> Path:
    """A folder dataset of toy scenes with its YAML; returns the YAML's path."""
    for split in ("train", "val"):
        for part in ("images", "labels", "ids"):
            (root / part / split).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            scene = toy_scene(number + 100 * (split == "val"))
            (root / "images" / split / f"s{number}.png").write_bytes(scene.image)
            raw = RAW[scene.semantic].astype(np.uint16)
            if encoding == "instances":
                raw = np.where(scene.instance > 0, raw * 1000 + scene.instance, raw).astype(np.uint16)
            if encoding == "colours":
                Image.fromarray(TOY.palette[scene.semantic]).save(root / "labels" / split / f"s{number}.png")
            else:
                cv2.imwrite(
                    str(root / "labels" / split / f"s{number}.png"), raw if raw.max() > 255 else raw.astype(np.uint8)
                )
            cv2.imwrite(str(root / "ids" / split / f"s{number}.png"), scene.instance)
    spec = {
        "name": "mine",
        "encoding": encoding,
        "splits": {
            s: {
                "images": f"images/{s}/{{id}}.png",
                "semantic": f"labels/{s}/{{id}}.png",
                "instances": f"ids/{s}/{{id}}.png",
            }
            for s in ("train", "val")
        },
        "classes": [
            {"name": c.name, "colour": list(c.colour), "ids": list(c.raw_ids), "thing": c.thing} for c in TOY.classes
        ],
        "void": [0] if encoding != "colours" else [[0, 0, 0]],
        "instances": {"instances": "files", "ids": "files", "colours": "components"}[encoding],
    } | changes
    (root / "mine.yaml").write_text(yaml.safe_dump(spec))
    return root / "mine.yaml"


@pytest.mark.parametrize("encoding", ["ids", "colours", "instances"])
def test_each_encoding_gives_the_same_world(tmp_path, encoding):
    spec = FolderSpec.load(make_dataset(tmp_path / "data", encoding=encoding))
    world = import_folders(spec, tmp_path / "world")
    assert world.splits() == {("target", "train"): 4, ("target", "val"): 4}
    for number in range(4):
        wanted = toy_scene(number)
        np.testing.assert_array_equal(world.truth().semantic(f"train/s{number}"), wanted.semantic)
        ids = world.truth().instance(f"train/s{number}")
        assert len(np.unique(ids)) == len(np.unique(wanted.instance)) or encoding == "colours"
        assert ((ids > 0) == (wanted.instance > 0)).all()
    assert world.manifest.components == (encoding == "colours")


def mode_of(path):
    with Image.open(path) as image:
        return image.mode


def test_palette_and_16_bit_labels_are_read_by_value(tmp_path):
    spec_path = make_dataset(tmp_path / "data", count=2)
    for number in range(2):
        raw = RAW[toy_scene(number).semantic]
        path = tmp_path / "data" / "labels" / "train" / f"s{number}.png"
        if number == 0:
            palette = Image.fromarray(raw, mode="P")
            palette.putpalette(np.random.default_rng(0).integers(0, 256, 768).astype(np.uint8).tobytes())
            palette.save(path)
            assert mode_of(path) == "P"
        else:
            cv2.imwrite(str(path), raw.astype(np.uint16))
            assert mode_of(path).startswith("I;16")
    world = import_folders(FolderSpec.load(spec_path), tmp_path / "world")
    for number in range(2):
        np.testing.assert_array_equal(world.truth().semantic(f"train/s{number}"), toy_scene(number).semantic)


def test_an_instance_map_without_instances_may_have_8_bits(tmp_path):
    spec = make_dataset(tmp_path / "data", encoding="instances", count=2)
    for label in (tmp_path / "data" / "labels").rglob("*.png"):
        cv2.imwrite(str(label), np.full((24, 32), 7, np.uint8))
    truth = import_folders(FolderSpec.load(spec), tmp_path / "world").truth()
    assert set(np.unique(truth.semantic("train/s0"))) == {0}


def test_merges_templates_with_several_names_and_coarse_maps(tmp_path):
    root = tmp_path / "data"
    for city in ("aa", "bb"):
        for part in ("img", "gt", "rough"):
            (root / part / city).mkdir(parents=True)
        scene = toy_scene(ord(city[0]))
        raw = RAW[scene.semantic]
        raw[:6][raw[:6] == 11] = 12  # a second raw id of the class `wall`
        (root / "img" / city / "x_left.png").write_bytes(scene.image)
        cv2.imwrite(str(root / "gt" / city / "x_gt.png"), raw)
        cv2.imwrite(str(root / "rough" / city / "x_coarse.png"), np.where(raw == 7, 7, 0).astype(np.uint8))
    spec = {
        "name": "mine",
        "encoding": "ids",
        "splits": {
            "train": {
                "images": "img/{city}/{id}_left.png",
                "semantic": "gt/{city}/{id}_gt.png",
                "coarse": "rough/{city}/{id}_coarse.png",
            }
        },
        "classes": [{"name": c.name, "colour": list(c.colour), "ids": list(c.raw_ids)} for c in TOY.classes],
        "void": [0],
    }
    (root / "mine.yaml").write_text(yaml.safe_dump(spec))
    world = import_folders(FolderSpec.load(root / "mine.yaml"), tmp_path / "world")
    assert world.truth().scenes() == ["train/aa/x", "train/bb/x"]
    truth = world.truth()
    np.testing.assert_array_equal(truth.semantic("train/aa/x"), toy_scene(ord("a")).semantic)
    assert set(np.unique(truth.coarse("train/aa/x"))) == {0, 255} and truth.instance("train/aa/x") is None


def test_an_unknown_id_stops_with_file_id_pixels_and_looks(tmp_path):
    spec_path = make_dataset(tmp_path / "data")
    path = tmp_path / "data" / "labels" / "train" / "s2.png"
    raw = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    raw[3:5, 10:17] = 99
    cv2.imwrite(str(path), raw)
    with pytest.raises(BadWorld, match=r"s2\.png: .*unknown: id 99 on 14 px\. The file looks like class ids"):
        import_folders(FolderSpec.load(spec_path), tmp_path / "world", max_bad=1.0)
    with pytest.raises(BadWorld, match="there is none"):
        World.open(tmp_path / "world")


@pytest.mark.parametrize(
    ("written", "declared", "looks"),
    [
        ("colours", "ids", r"looks like colour-coded classes \(4 colours\): encoding: colours"),
        ("ids", "colours", "looks like class ids: encoding: ids"),
        ("instances", "ids", r"looks like an instance map \(class \* 1000"),
    ],
)
def test_a_wrong_declared_encoding_says_what_the_file_looks_like(tmp_path, written, declared, looks):
    make_dataset(tmp_path / "data", encoding=written)
    spec = FolderSpec.load(tmp_path / "data" / "mine.yaml")
    wrong = spec.model_copy(update={"encoding": declared, "void": (0,)})
    with pytest.raises(BadWorld, match=looks):
        import_folders(wrong, tmp_path / "world")


def test_an_unknown_colour_is_spelled_as_a_colour(tmp_path):
    spec_path = make_dataset(tmp_path / "data", encoding="colours", void=[[9, 9, 9]])
    with pytest.raises(BadWorld, match=r"colour \(0, 0, 0\) on \d+ px"):
        import_folders(FolderSpec.load(spec_path), tmp_path / "world")


@pytest.mark.parametrize("damage", ["cut", "text", "sixteen", "cut label", "size"])
def test_one_bad_scene_is_left_out_named_and_loses_nothing_else(tmp_path, damage):
    spec_path = make_dataset(tmp_path / "data")
    image, label = tmp_path / "data" / "images" / "train" / "s1.png", tmp_path / "data" / "labels" / "train" / "s1.png"
    if damage == "cut":
        image.write_bytes(image.read_bytes()[:-300])
    elif damage == "text":
        image.write_text("not an image at all")
    elif damage == "sixteen":
        cv2.imwrite(str(image), np.zeros((24, 32, 3), np.uint16))
    elif damage == "cut label":
        label.write_bytes(label.read_bytes()[:60])
    else:
        cv2.imwrite(str(label), np.full((24, 30), 7, np.uint8))
    named = "labels/train/s1.png" if damage in ("cut label", "size") else "images/train/s1.png"
    with pytest.raises(BadWorld, match=rf"1 of 8 scenes cannot be used, more than the share 0\.01.*{named}"):
        import_folders(FolderSpec.load(spec_path), tmp_path / "strict")
    world = import_folders(FolderSpec.load(spec_path), tmp_path / "world", max_bad=0.2)
    assert world.splits() == {("target", "train"): 3, ("target", "val"): 4}
    notes = inspect_world(world).notes
    assert named in (notes.size_mismatches if damage == "size" else notes.skipped)[0]
    assert len(notes.size_mismatches) + len(notes.skipped) == 1


def test_a_truncated_jpeg_is_not_taken_for_a_whole_one(tmp_path):
    spec_path = make_dataset(tmp_path / "data")
    image = tmp_path / "data" / "images" / "train" / "s1.png"
    ok, data = cv2.imencode(".jpg", np.random.default_rng(0).integers(0, 255, (24, 32, 3)).astype(np.uint8))
    assert ok
    image.write_bytes(data.tobytes()[: len(data) * 2 // 3])
    with pytest.raises(BadWorld, match="do not decode"):
        import_folders(FolderSpec.load(spec_path), tmp_path / "world")


def test_orphans_and_an_image_in_two_splits_are_reported(tmp_path):
    spec_path = make_dataset(tmp_path / "data")
    (tmp_path / "data" / "labels" / "train" / "s0.png").unlink()
    (tmp_path / "data" / "images" / "val" / "s3.png").unlink()
    twice = tmp_path / "data" / "images" / "train" / "s1.png"
    (tmp_path / "data" / "images" / "val" / "s1.png").write_bytes(twice.read_bytes())
    report = inspect_world(import_folders(FolderSpec.load(spec_path), tmp_path / "world"))
    assert [Path(p).parts[-3:] for p in report.notes.images_without_labels] == [("images", "train", "s0.png")]
    assert [Path(p).parts[-3:] for p in report.notes.labels_without_images] == [("labels", "val", "s3.png")]
    assert report.overlaps == ("target/train:train/s1 = target/val:val/s1",)


def test_inspection_counts_what_is_there(tmp_path):
    world = import_folders(FolderSpec.load(make_dataset(tmp_path / "data")), tmp_path / "world")
    train = inspect_world(world).splits[0]
    maps = np.stack([toy_scene(n).semantic for n in range(4)])
    assert train.void_share == pytest.approx((maps == 255).mean())
    assert train.class_shares == pytest.approx([(maps == c).sum() / (maps != 255).sum() for c in range(3)])
    assert train.instances == (0, 0, 8) and train.instances_a_scene == 2 and train.sizes == ("32x24",)
    sheet = contact_sheet(world, rows_a_split=2, width=64)
    assert sheet.ndim == 3 and sheet.shape[1] > 3 * 64 and sheet.std() > 10


def test_an_empty_split_and_bad_descriptions_are_refused(tmp_path):
    path = make_dataset(tmp_path / "data")
    spec = FolderSpec.load(path)
    for image in (tmp_path / "data" / "images" / "val").iterdir():
        image.unlink()
    with pytest.raises(BadWorld, match="split 'val' is empty: no file matches"):
        import_folders(spec, tmp_path / "world")
    for change, message in (
        ({"encodings": "ids"}, "encodings: did you mean 'encoding'"),
        ({"encoding": "id"}, "encoding: must be 'ids', 'colours' or 'instances'; found 'id'"),
        ({"splits": {}}, "splits: "),
        ({"splits": {"a": {"images": "x/*.png", "semantic": "y/{id}.png"}}}, r"splits\.a\.images: .* contain \{id\}"),
        ({"classes": [{"name": "a", "colour": [1, 2, 300]}]}, "colour"),
    ):
        path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | change))
        with pytest.raises(BadWorld, match=message):
            FolderSpec.load(path)
        make_dataset(tmp_path / "data")
    path.write_text("a: [")
    with pytest.raises(BadWorld, match="must be valid YAML"):
        FolderSpec.load(path)
    with pytest.raises(BadWorld, match="readable"):
        FolderSpec.load(tmp_path / "absent.yaml")
    with pytest.raises(BadWorld, match="max_bad is a share"):
        import_folders(spec, tmp_path / "world", max_bad=2)
    with pytest.raises(BadWorld, match="SegNet layout"):
        camvid_spec(tmp_path)


CAMVID_FOLDER = Path(os.environ.get("SEGFRONTIER_CAMVID", Path(__file__).parents[3] / "shared" / "data" / "CamVid"))


@pytest.mark.slow
@pytest.mark.skipif(not CAMVID_FOLDER.is_dir(), reason="CamVid is not here; set SEGFRONTIER_CAMVID to its folder")
def test_camvid_imports_with_its_published_statistics(tmp_path):
    world = import_folders(camvid_spec(CAMVID_FOLDER), tmp_path / "world")
    assert world.splits() == {("target", "train"): 367, ("target", "val"): 101}
    train = inspect_world(world).splits[0]
    shares = dict(zip(world.classes.names, train.class_shares, strict=True))
    assert train.void_share == pytest.approx(0.040, abs=0.001)
    labelled = 1 - train.void_share
    for name, percent in {"sky": 16.9, "building": 23.3, "road": 31.7, "car": 5.9, "bicyclist": 0.3}.items():
        assert shares[name] * labelled * 100 == pytest.approx(percent, abs=0.1)
    assert train.sizes == ("480x360",) and train.instances_a_scene > 5


def test_transparent_label_colours_and_a_flag_of_another_format_are_remarked(tmp_path):
    """A labelling tool may have meant what is transparent to be nothing; it is not said of files without."""
    spec = make_dataset(tmp_path / "d", encoding="colours")
    first, second, third = (tmp_path / "d" / "labels" / "train" / f"s{n}.png" for n in range(3))
    with Image.open(first) as image:
        clear = image.convert("RGBA")
        clear.putalpha(0)
        clear.save(first)
    exif = Image.Exif()
    exif[0x0112] = 3
    with Image.open(second) as image:
        image.save(second.with_suffix(".tif"), exif=exif)
    second.with_suffix(".tif").rename(second)  # what a file is, its bytes say
    with Image.open(third) as image:
        image.save(third, exif=exif)
    remarks = import_folders(FolderSpec.load(spec), tmp_path / "w").manifest.notes.remarks
    turned = "has the rotation flag 3, which is not followed: labels are taken as they are stored"
    assert [line.removeprefix(f"{tmp_path}/d/labels/train/") for line in remarks] == [
        "s0.png: has an alpha channel, which is not read: what is transparent has its label all the same",
        f"s1.png: {turned}",
        f"s2.png: {turned}",
    ]
