"""PASCAL VOC with SBD, PASCAL-Context, COCO panoptic and ADE20K in their official layouts."""

import io
import json

import numpy as np
import pytest
from officialhere import HEIGHT, WIDTH, blocks, photo, put
from scipy.io import savemat

from segfrontier.errors import BadWorld
from segfrontier.scenes.importing import import_dataset
from segfrontier.scenes.importing.ade20k import ADE150
from segfrontier.scenes.pascal import PASCAL_CONTEXT, VOC
from segfrontier.scenes.raw import UnknownLabel

CAT, PERSON = VOC.index("cat"), VOC.index("person")
DEVKIT, SBD = "VOCdevkit/VOC2012", "benchmark_RELEASE/dataset"


def matlab(**variables):
    data = io.BytesIO()
    savemat(data, variables)
    return data.getvalue()


def structure(**fields):
    """A MATLAB structure of one element, as SBD's files hold it."""
    out = np.empty((1, 1), [(name, object) for name in fields])
    for name, value in fields.items():
        out[name][0, 0] = value
    return out


def voc_maps():
    """Background, a cat and two persons, each in a void outline."""
    semantic = blocks(0, CAT, PERSON, PERSON)
    objects = blocks(0, 1, 2, 3)
    for part in (semantic, objects):
        part[:, 1], part[0] = 255, 255
    return semantic, objects


def write_voc(root, *, train=2, val=2, sbd=("2008_000010", "2008_000011"), twice=("2007_000001",)):
    """VOC's own lists, and SBD's, which name some of VOC's training images again and one of its validation images."""
    palette, (semantic, objects) = VOC.palette, voc_maps()
    names = {
        "train": [f"2007_{n:06d}" for n in range(1, train + 1)], "val": [f"2009_{n:06d}" for n in range(1, val + 1)]
    }  # fmt: skip
    for split, listed in names.items():
        put(root / DEVKIT / f"ImageSets/Segmentation/{split}.txt", "\n".join([*listed, ""]).encode())
        for name in listed:
            put(root / DEVKIT / f"SegmentationClass/{name}.png", (semantic, palette))
            put(root / DEVKIT / f"SegmentationObject/{name}.png", (objects, palette))
    for name in (*names["train"], *names["val"], *sbd, "2010_999999"):
        put(root / DEVKIT / f"JPEGImages/{name}.jpg", photo(int(name[-6:]), form="JPEG"))
    put(root / SBD / "train.txt", "\n".join([*sbd[:1], *twice]).encode())
    put(root / SBD / "val.txt", "\r\n".join([*sbd[1:], names["val"][0]]).encode())
    for name in (*sbd, *twice, names["val"][0]):
        inside = np.where(semantic == 255, 0, semantic)
        cls = structure(Boundaries=np.zeros((20, 1)), Segmentation=inside, CategoriesPresent=np.uint8([CAT, PERSON]))
        numbers = np.where(objects == 255, 0, objects)
        inst = structure(Segmentation=numbers, Boundaries=np.zeros((3, 1)), Categories=np.uint8([[CAT], [PERSON]]))
        put(root / SBD / f"cls/{name}.mat", matlab(GTcls=cls))
        put(root / SBD / f"inst/{name}.mat", matlab(GTinst=inst))
        put(root / SBD / f"img/{name}.jpg", photo(1, form="JPEG"))
    return root


def test_voc_and_sbd_are_the_papers_union(tmp_path):
    world = import_dataset("voc", write_voc(tmp_path / "voc"), tmp_path / "world")
    assert world.splits() == {("target", "train"): 4, ("target", "val"): 2} and world.classes == VOC
    truth = world.truth()
    assert set(truth.scenes()) == {"train/2007_000001", "train/2007_000002", "sbd/2008_000010", "sbd/2008_000011"}, (
        "what is VOC's stays VOC's, and no validation image is trained on"
    )
    semantic, objects = voc_maps()
    np.testing.assert_array_equal(truth.semantic("train/2007_000002"), semantic)
    np.testing.assert_array_equal(truth.semantic("sbd/2008_000010"), np.where(semantic == 255, 0, semantic))
    for scene in ("train/2007_000002", "sbd/2008_000011"):
        ids = truth.instance(scene)
        found = {frozenset(ids[(objects == n) & (semantic != 255)].tolist()) for n in (1, 2, 3)}
        assert len(found) == 3 and all(len(values) == 1 and 0 not in values for values in found)
        assert not ids[semantic == 255].any() and not ids[semantic == 0].any()
    assert world.manifest.notes == type(world.manifest.notes)(), "images that no list names are not missed"


def test_voc_alone_and_what_a_list_names_in_vain(tmp_path):
    root = write_voc(tmp_path / "voc")
    lists = root / DEVKIT / "ImageSets/Segmentation/train.txt"
    lists.write_text(lists.read_text() + "2007_000077\n")
    (root / DEVKIT / "SegmentationClass/2007_000002.png").unlink()
    world = import_dataset("voc-alone", root, tmp_path / "world")
    assert world.splits() == {("target", "train"): 1, ("target", "val"): 2} and world.name == "voc"
    notes = world.manifest.notes
    assert [path.rpartition("/")[2] for path in notes.images_without_labels] == ["2007_000002.jpg"]
    assert [r for r in notes.remarks if "train lists '2007_000077', which has no image" in r]


def test_lists_that_name_no_image_that_is_there(tmp_path):
    root = write_voc(tmp_path / "voc")
    for split in ("train", "val"):
        put(root / DEVKIT / f"ImageSets/Segmentation/{split}.txt", b"1999_000001\n")
    with pytest.raises(BadWorld, match="none of 0 images has the label file .*SegmentationClass"):
        import_dataset("voc-alone", root, tmp_path / "world")


def test_a_root_that_is_too_deep_or_without_sbd_is_told(tmp_path):
    root = write_voc(tmp_path / "voc")
    with pytest.raises(BadWorld, match=r"VOCdevkit/VOC2012: PASCAL VOC 2012 with SBD has .*Give .*voc, where it is"):
        import_dataset("voc", root / DEVKIT, tmp_path / "world")
    (root / SBD / "train.txt").unlink()
    with pytest.raises(BadWorld, match=r"benchmark_RELEASE/dataset/train\.txt: a list of scenes must be a readable"):
        import_dataset("voc", root, tmp_path / "world")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "must be a whole MATLAB file with GTcls.Segmentation"),
        (matlab(GTcls=structure(Other=1)), "must be a whole MATLAB file with GTcls.Segmentation"),
        (matlab(other=1), "must be a whole MATLAB file"),
        (matlab(GTcls=structure(Segmentation=np.zeros((HEIGHT, WIDTH)))), "must be a map of whole numbers"),
        (matlab(GTcls=structure(Segmentation=np.zeros((3, 4), np.uint8))), "must be 16x12 like their image; found 4x3"),
    ],
)
def test_a_matlab_file_that_is_none_is_named(tmp_path, data, says):
    root = write_voc(tmp_path / "voc")
    put(root / SBD / "cls/2008_000010.mat", data)
    world = import_dataset("voc", root, tmp_path / "world", max_bad=0.5)
    (line,) = world.manifest.notes.skipped + world.manifest.notes.size_mismatches
    assert "cls/2008_000010.mat" in line and says in line and "sbd/2008_000011" in world.truth().scenes()


def write_context(root, categories):
    numbers = {name: number for number, name in enumerate(categories, start=1)}
    lines = [f"{number}: {name}" for name, number in numbers.items()]
    put(root / "labels.txt", "\n".join(lines).encode())
    for split, name in (("train", "2008_000001"), ("val", "2008_000002")):
        put(root / f"VOCdevkit/VOC2010/ImageSets/Main/{split}.txt", f"{name}\n".encode())
        put(root / f"VOCdevkit/VOC2010/JPEGImages/{name}.jpg", photo(1, form="JPEG"))
        values = blocks(0, numbers["sky"], numbers["accordion"], numbers["wood"], dtype=np.uint16)
        put(root / f"trainval/{name}.mat", matlab(LabelMap=values))
    return numbers


def test_context_maps_459_categories_to_59_by_their_names(tmp_path):
    names = ["accordion", *sorted(PASCAL_CONTEXT.names[1:], reverse=True), *(f"thing {n}" for n in range(399))]
    numbers = write_context(tmp_path / "pc", names)
    assert len(numbers) == 459
    world = import_dataset("pascal-context", tmp_path / "pc", tmp_path / "world")
    assert world.splits() == {("target", "train"): 1, ("target", "val"): 1}
    assert world.classes.names == PASCAL_CONTEXT.names
    index = PASCAL_CONTEXT.index
    np.testing.assert_array_equal(
        world.truth().semantic("train/2008_000001"), blocks(0, index("sky"), 0, index("wood"))
    )


@pytest.mark.parametrize(("text", "says"), [("1: sky", "all of the 59 classes"), ("sky", "must be `number: name`")])
def test_contexts_list_of_categories_must_be_whole(tmp_path, text, says):
    write_context(tmp_path / "pc", ["accordion", *PASCAL_CONTEXT.names[1:]])
    (tmp_path / "pc/labels.txt").write_text(text)
    with pytest.raises(BadWorld, match=says):
        import_dataset("pascal-context", tmp_path / "pc", tmp_path / "world")


CATEGORIES = [
    {"id": 1, "name": "person", "isthing": 1, "color": [220, 20, 60], "supercategory": "person"},
    {"id": 3, "name": "car", "isthing": 1, "color": [0, 0, 142], "supercategory": "vehicle"},
    {"id": 199, "name": "wall-other-merged", "isthing": 0, "color": [92, 82, 55], "supercategory": "wall"},
]
SEGMENTS = {70000: (1, 0), 258: (1, 0), 3: (3, 1), 16777215: (199, 0)}


def write_coco(root, *, deep=True, categories=CATEGORIES):
    numbers = blocks(0, *SEGMENTS, dtype=np.int64)
    for split, name in (("train", "000000000009"), ("val", "000000000139")):
        put(root / f"{split}2017/{name}.jpg", photo(1, form="JPEG"))
        folder = root / ("annotations" if deep else "") / f"panoptic_{split}2017"
        put(folder / f"{name}.png", np.stack([numbers % 256, numbers // 256 % 256, numbers // 65536], -1).astype("u1"))
        rows = [
            {"id": n, "category_id": c, "iscrowd": crowd, "area": 1, "bbox": [0, 0, 1, 1]}
            for n, (c, crowd) in SEGMENTS.items()
        ]
        image = {"image_id": int(name), "file_name": f"{name}.png", "segments_info": rows}
        plain = {"images": [], "annotations": [image], "categories": categories}
        put(root / f"annotations/panoptic_{split}2017.json", json.dumps(plain).encode())
    return root, numbers


@pytest.mark.parametrize("deep", [True, False])
def test_coco_segments_are_classes_and_objects(tmp_path, deep):
    root, numbers = write_coco(tmp_path / "coco", deep=deep)
    world = import_dataset("coco", root, tmp_path / "world")
    assert world.splits() == {("target", "train"): 1, ("target", "val"): 1}
    assert world.classes.names == ("person", "car", "wall-other-merged") and world.classes.things == (0, 1)
    labels, ids = world.truth().semantic("train/000000000009"), world.truth().instance("train/000000000009")
    np.testing.assert_array_equal(labels, blocks(255, 0, 0, 1, 2))
    assert {int(ids[numbers == n].min()) for n in (70000, 258)} == {1, 2} and not ids[np.isin(numbers, (0, 3))].any()
    assert not ids[numbers == 16777215].any(), "stuff is no object"


def test_cocos_unlabelled_images_are_a_pool_where_they_are_wanted(tmp_path):
    root, _ = write_coco(tmp_path / "coco")
    for name in ("000000000001", "000000000008"):
        put(root / f"unlabeled2017/{name}.jpg", photo(int(name), form="JPEG"))
    world = import_dataset("coco", root, tmp_path / "world")
    assert world.splits() == {("target", "train"): 1, ("target", "val"): 1}
    assert world.manifest.notes.images_without_labels == (), "a hundred thousand names would tell nobody anything"
    (line,) = world.manifest.notes.remarks
    assert "2 images at unlabeled2017/{id}.*g have no labels; `--unlabelled` keeps them" in line
    pool = import_dataset("coco", root, tmp_path / "pool", unlabelled=True)
    assert pool.splits() == {("target", "train"): 3, ("target", "val"): 1}
    assert [s for s in pool.truth().scenes() if pool.truth().has(s, "fine")] == ["train/000000000009"]
    assert {"unlabeled2017/000000000001", "unlabeled2017/000000000008"} < set(pool.truth().scenes())
    with pytest.raises(BadWorld, match="lies inside|unlabeled2017"):
        import_dataset("coco", root, root / "unlabeled2017/world")


def test_coco_files_of_two_releases_are_named(tmp_path):
    root, _ = write_coco(tmp_path / "coco")
    put(root / "annotations/panoptic_train2017/000000000009.png", np.full((HEIGHT, WIDTH, 3), 7, np.uint8))
    world = import_dataset("coco", root, tmp_path / "world", max_bad=0.5)
    (line,) = world.manifest.notes.skipped
    assert "000000000009.png: its segments must be those that the JSON file lists; 1 are not, e.g. 460551" in line
    (root / "annotations/panoptic_train2017.json").write_text('{"annotations": [{"id": 1}]}')
    with pytest.raises(BadWorld, match=r"panoptic_train2017\.json: must list `categories`"):
        import_dataset("coco", root, tmp_path / "other")
    root, _ = write_coco(tmp_path / "few", categories=CATEGORIES[:2])
    with pytest.raises(UnknownLabel, match="id 199"):
        import_dataset("coco", root, tmp_path / "other")


def write_ade(root, *, instances=True):
    for split, name in (("training", "ADE_train_00000001"), ("validation", "ADE_val_00000001")):
        semantic = blocks(0, 1, 13, 150)
        put(root / f"images/{split}/{name}.jpg", photo(1, form="JPEG"))
        put(root / f"annotations/{split}/{name}.png", semantic)
        numbers = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        numbers[semantic == 13] = (4, 1, 0)
        numbers[:6][semantic[:6] == 13] = (4, 2, 0)
        if instances:
            put(root / f"annotations_instance/{split}/{name}.png", numbers)
    put(root / "objectInfo150.txt", b"Idx\tRatio\tTrain\tVal\tStuff\tName\n")
    put(root / "sceneCategories.txt", b"")
    return root


def test_ade20k_counts_from_one_and_zero_is_void(tmp_path):
    world = import_dataset("ade20k", write_ade(tmp_path / "ade"), tmp_path / "world")
    assert world.splits() == {("target", "train"): 1, ("target", "val"): 1}
    assert (len(ADE150), len(ADE150.things)) == (150, 100)
    assert [ADE150.names[i] for i in (0, 12, 149)] == ["wall", "person", "flag"]
    truth = world.truth()
    np.testing.assert_array_equal(truth.semantic("train/ADE_train_00000001"), blocks(255, 0, 12, 149))
    ids, person = truth.instance("train/ADE_train_00000001"), blocks(0, 1, 13, 150) == 13
    assert ((ids > 0) == person).all() and len(np.unique(ids[person])) == 2


def test_ade20k_without_the_archive_of_objects(tmp_path):
    world = import_dataset("ade20k", write_ade(tmp_path / "ade", instances=False), tmp_path / "world")
    assert world.truth().instance("train/ADE_train_00000001") is None
    assert all("have no instance labels" in remark for remark in world.manifest.notes.remarks)
    assert len(world.manifest.notes.remarks) == 2
