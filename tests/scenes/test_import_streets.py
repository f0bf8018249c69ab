"""GTA5, SYNTHIA, Synscapes, UrbanSyn and BDD100K in their official layouts."""

import cv2
import numpy as np
import pytest
from officialhere import HEIGHT, WIDTH, blocks, photo, put
from PIL import Image

from segfrontier.errors import BadWorld
from segfrontier.market.coarse import coarse_map
from segfrontier.scenes.classes import CITYSCAPES
from segfrontier.scenes.importing import import_dataset
from segfrontier.scenes.raw import UnknownLabel

LABEL = CITYSCAPES.index


def write_gta(root, count=3):
    """Palette files whose colours are Cityscapes' and whose values are its ids."""
    palette = np.random.default_rng(0).integers(0, 256, (256, 3))
    for number in range(1, count + 1):
        put(root / f"images/{number:05d}.png", photo(number))
        put(root / f"labels/{number:05d}.png", (blocks(0, 7, 26, 34, 33), palette))
    put(root / "split.mat", b"MATLAB 5.0 MAT-file")
    return root


def test_gta5_values_of_palette_files_are_ids_and_its_labels_free(tmp_path):
    world = import_dataset("gta5", write_gta(tmp_path / "gta"), tmp_path / "world")
    assert world.splits() == {("source", "train"): 3}
    with Image.open(tmp_path / "gta/labels/00001.png") as image:
        assert image.mode == "P"
    truth = world.truth(domain="source")
    assert truth.scenes() == ["train/00001", "train/00002", "train/00003"] and truth.instance("train/00001") is None
    wanted = blocks(255, LABEL("road"), LABEL("car"), 255, LABEL("bicycle"))
    np.testing.assert_array_equal(truth.semantic("train/00001"), wanted)
    assert world.manifest.notes.remarks == ()


def test_gta5_labels_of_another_size_are_resized_and_named(tmp_path):
    root = write_gta(tmp_path / "gta")
    put(root / "images/00002.png", photo(2, (100, 200)))
    put(root / "labels/00002.png", blocks(7, 26, size=(101, 200)))
    put(root / "images/00003.png", photo(2, (100, 200)))
    put(root / "labels/00003.png", blocks(7, 26, size=(103, 200)))
    world = import_dataset("gta5", root, tmp_path / "world", max_bad=0.4)
    (remark,), (line,) = world.manifest.notes.remarks, world.manifest.notes.size_mismatches
    assert "00002.png: labels of 200x101 were resized to their image's 200x100" in remark
    assert "00003.png: labels must be 200x100 like their image; found 200x103" in line, "another shape is another image"
    labels = world.truth(domain="source").semantic("train/00002")
    np.testing.assert_array_equal(labels, blocks(LABEL("road"), LABEL("car"), size=(100, 200)))


SYNTHIA_IDS = {
    "sky": 1, "building": 2, "road": 3, "sidewalk": 4, "fence": 5, "vegetation": 6, "pole": 7, "car": 8, "sign": 9,
    "person": 10, "bicycle": 11, "motorcycle": 12, "light": 15, "terrain": 16, "rider": 17, "truck": 18, "bus": 19,
    "train": 20, "wall": 21,
}  # fmt: skip


def write_synthia(root):
    """16 bits a channel: class, number of the object, nothing. All 23 ids in one row of stripes."""
    classes = np.repeat(np.arange(23, dtype=np.uint16), 2)[None].repeat(HEIGHT, 0)
    numbers = np.where(classes == 8, 300, 0).astype(np.uint16)
    numbers[:5][classes[:5] == 8] = 65535
    put(root / "RGB/0000000.png", photo(0, classes.shape))
    put(root / "GT/LABELS/0000000.png", np.stack([classes, numbers, np.zeros_like(classes)], -1))
    put(root / "GT/COLOR/0000000.png", photo(1, classes.shape))
    return classes


def test_synthia_ids_are_mapped_from_the_untouched_source(tmp_path):
    """A table that is applied in place, key by key, maps sky (1 to 10) on to bicycle (10 to 11 to 18)."""
    classes = write_synthia(tmp_path / "synthia")
    world = import_dataset("synthia", tmp_path / "synthia", tmp_path / "world")
    assert world.splits() == {("source", "train"): 1}
    labels = world.truth(domain="source").semantic("train/0000000")
    back = {raw: LABEL(name) for name, raw in SYNTHIA_IDS.items()}
    np.testing.assert_array_equal(labels, np.vectorize(lambda raw: back.get(raw, 255))(classes))
    assert {int(v) for v in np.unique(classes[labels == 255])} == {0, 13, 14, 22}
    ids = world.truth(domain="source").instance("train/0000000")
    assert ((ids > 0) == (classes == 8)).all() and len(np.unique(ids[ids > 0])) == 2


@pytest.mark.parametrize(("name", "count"), [("synthia16", 16), ("synthia13", 13)])
def test_synthia_in_fewer_classes(tmp_path, name, count):
    classes = write_synthia(tmp_path / "synthia")
    world = import_dataset("synthia", tmp_path / "synthia", tmp_path / "world", class_set=name)
    assert len(world.classes) == count and world.classes.name == name
    labels = world.truth(domain="source").semantic("train/0000000")
    gone = {"terrain", "truck", "train"} | ({"wall", "fence", "pole"} if count == 13 else set())
    assert set(world.classes.names) == set(CITYSCAPES.names) - gone
    for raw, at in ((1, "sky"), (10, "person"), (11, "bicycle"), (21, "wall")):
        expected = world.classes.index(at) if at in world.classes.names else 255
        assert set(labels[classes == raw].tolist()) == {expected}


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        (np.zeros((HEIGHT, 46, 3), np.uint8), "must have channels of 16 bits for classes and instances; found 3 of 8"),
        (np.zeros((HEIGHT, 46), np.uint16), "found 1 of 16 bits"),
        (b"\x89PNG", "must be a whole label image"),
    ],
)
def test_synthia_labels_of_another_depth_are_named(tmp_path, labels, says):
    write_synthia(tmp_path / "synthia")
    put(tmp_path / "synthia/GT/LABELS/0000000.png", labels)
    with pytest.raises(BadWorld, match=says):
        import_dataset("synthia", tmp_path / "synthia", tmp_path / "world")


def test_synscapes_with_numbers_in_colours(tmp_path):
    for number in (1, 2):
        put(tmp_path / f"s/img/rgb/{number}.png", photo(number))
        put(tmp_path / f"s/img/rgb-2k/{number}.png", photo(number, (20, 30)))
        classes, numbers = blocks(7, 24, 26), np.full((HEIGHT, WIDTH), 70000, np.int64)
        numbers[:6] = 65536 + 256 * 3 + 9
        put(tmp_path / f"s/img/class/{number}.png", classes)
        channels = np.stack([numbers % 256, numbers // 256 % 256, numbers // 65536], -1).astype(np.uint8)
        put(tmp_path / f"s/img/instance/{number}.png", channels)
        put(tmp_path / f"s/img/depth/{number}.exr", b"exr")
        put(tmp_path / f"s/meta/{number}.json", b"{}")
    world = import_dataset("synscapes", tmp_path / "s", tmp_path / "world")
    truth = world.truth(domain="source")
    assert truth.scenes() == ["train/1", "train/2"]
    np.testing.assert_array_equal(truth.semantic("train/2"), blocks(LABEL("road"), LABEL("person"), LABEL("car")))
    ids = truth.instance("train/2")
    assert len(np.unique(ids[blocks(7, 24, 26) == 26])) == 2 and not ids[blocks(7, 24, 26) == 7].any()


def test_urbansyn_by_train_id(tmp_path):
    grey = blocks(0, 13, 18, 19, 255)
    put(tmp_path / "u/rgb/rgb_0001.png", photo(1))
    put(tmp_path / "u/ss/ss_0001.png", grey)
    put(tmp_path / "u/rgb/rgb_0002.png", photo(2))
    put(tmp_path / "u/ss/ss_0002.png", np.stack([grey] * 3, -1))
    put(tmp_path / "u/ss_color/ss_color_0001.png", photo(3))
    world = import_dataset("urbansyn", tmp_path / "u", tmp_path / "world")
    assert world.truth(domain="source").scenes() == ["train/0001", "train/0002"]
    for scene in ("train/0001", "train/0002"):
        np.testing.assert_array_equal(world.truth(domain="source").semantic(scene), np.where(grey == 19, 255, grey))


def write_bdd(root, *, old=False, train=7, labels=True):
    """Photographs and grey files of train ids, as either form of the release has them."""
    for split, count in (("train", train), ("val", 2), ("test", 1)):
        for number in range(count):
            name = f"{number:08x}-{split}"
            image = root / (f"seg/images/{split}/{name}.jpg" if old else f"images/10k/{split}/{name}.jpg")
            put(image, photo(number, form="JPEG", size=(40, 60)))
            label = f"seg/labels/{split}/{name}_train_id.png" if old else f"labels/sem_seg/masks/{split}/{name}.png"
            if split != "test" and labels:
                put(root / label, blocks(255, 0, 13, 2, size=(40, 60)))
            put(root / "labels/sem_seg/colormaps" / split / f"{name}.png", photo(1))
    return root


@pytest.mark.parametrize("old", [False, True])
def test_bdd100k_in_either_form(tmp_path, old):
    world = import_dataset("bdd100k", write_bdd(tmp_path / "bdd", old=old), tmp_path / "world")
    assert world.splits() == {("target", "train"): 7, ("target", "val"): 2} and world.name == "bdd100k"
    np.testing.assert_array_equal(world.truth().semantic("train/00000003-train"), blocks(255, 0, 13, 2, size=(40, 60)))
    (remark,) = world.manifest.notes.remarks
    assert "1 images at" in remark and "/test/" in remark


def test_bdd100k_in_both_forms_is_refused_unless_one_has_no_labels(tmp_path):
    root = write_bdd(write_bdd(tmp_path / "bdd"), old=True)
    with pytest.raises(BadWorld, match=r"in one version; found two, at .*sem_seg/masks/train.* and .*seg/labels/train"):
        import_dataset("bdd100k", root, tmp_path / "world")
    root = write_bdd(write_bdd(tmp_path / "half"), old=True, labels=False)
    assert sum(import_dataset("bdd100k", root, tmp_path / "world").splits().values()) == 9


def test_bdd100k_divided_has_three_sevenths_fine_and_simulated_coarse_labels(tmp_path):
    root = write_bdd(tmp_path / "bdd", train=14)
    world = import_dataset("bdd100k-divided", root, tmp_path / "world", coarsen=coarse_map)
    truth = world.truth()
    fine = [scene for scene in truth.scenes() if truth.is_fine(scene)]
    assert len(truth.scenes()) == 14 and len(fine) == 6 and world.name == "bdd100k"
    semantic = blocks(255, 0, 13, 2, size=(40, 60))
    for scene in set(truth.scenes()) - set(fine):
        np.testing.assert_array_equal(truth.coarse(scene), coarse_map(semantic))
    assert all(truth.coarse(scene) is None for scene in fine)
    assert all(map(world.truth(split="val").is_fine, world.truth(split="val").scenes()))
    for number in range(14, 21):  # more images move no scene from fine to coarse beyond what the share asks for
        put(root / f"images/10k/train/{number:08x}-train.jpg", photo(number, form="JPEG", size=(40, 60)))
        put(root / f"labels/sem_seg/masks/train/{number:08x}-train.png", semantic)
    more = import_dataset("bdd100k-divided", root, tmp_path / "more", coarsen=coarse_map).truth()
    assert sum(map(more.is_fine, more.scenes())) == 9
    with pytest.raises(BadWorld, match="needs `coarsen`"):
        import_dataset("bdd100k-divided", root, tmp_path / "none")


def test_bdd100k_ids_that_are_no_train_ids_stop(tmp_path):
    root = write_bdd(tmp_path / "bdd")
    cv2.imwrite(str(root / "labels/sem_seg/masks/train/00000001-train.png"), blocks(7, 26, size=(40, 60)))
    with pytest.raises(UnknownLabel, match=r"00000001-train\.png: .*id 26 on \d+ px"):
        import_dataset("bdd100k", root, tmp_path / "world")


def test_a_class_set_that_a_data_set_lacks(tmp_path):
    with pytest.raises(BadWorld, match="GTA5 has the class sets: synthia16, synthia13; found 'x'"):
        import_dataset("gta5", tmp_path, tmp_path / "world", class_set="x")
    with pytest.raises(BadWorld, match="ADE20K has the class sets: none"):
        import_dataset("ade20k", tmp_path, tmp_path / "world", class_set="synthia16")
