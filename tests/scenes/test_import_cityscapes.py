"""Cityscapes in its official layout, and all that may be wrong with a data set on a disk."""

import unicodedata

import cv2
import numpy as np
import pytest
from officialhere import HEIGHT, WIDTH, blocks, listing, photo, put

from segfrontier.errors import BadWorld
from segfrontier.scenes.importing import import_dataset
from segfrontier.scenes.raw import UnknownLabel

ROAD, LIGHT, PERSON, CAR = 7, 19, 24, 26
ROI, LICENCE_FREE, GROUP = 3, 0, 26


def write_city(root, *, extra=0, coarse=True, test=0, count=2):
    """Two cities of the training split, one of val, in the layout of the archives, with all that lies beside."""
    for split, city in (("train", "aachen"), ("train", "weimar"), ("val", "lindau")):
        for number in range(count):
            write_scene(root, split, f"{city}/{city}_{number:06d}_000019", number, coarse=coarse)
    for number in range(extra):
        write_scene(root, "train_extra", f"bamberg/bamberg_000000_{number:06d}", 50 + number, fine=False)
    for number in range(test):
        put(root / f"leftImg8bit/test/bonn/bonn_{number:06d}_000019_leftImg8bit.png", photo(80 + number))
        put(root / f"gtFine/test/bonn/bonn_{number:06d}_000019_gtFine_labelIds.png", blocks(1))
    return root


def semantic_of(number):
    return blocks(ROI, ROAD, PERSON, CAR, LIGHT + number % 2)


def write_scene(root, split, name, number, *, fine=True, coarse=True):
    semantic = semantic_of(number)
    put(root / f"leftImg8bit/{split}/{name}_leftImg8bit.png", photo(number))
    if fine:
        put(root / f"gtFine/{split}/{name}_gtFine_labelIds.png", semantic)
        instance = semantic.astype(np.uint16)
        instance[semantic == PERSON] = PERSON * 1000
        instance[semantic == CAR] = CAR * 1000 + 1
        instance[:4][semantic[:4] == CAR] = CAR * 1000 + 7
        instance[-2:][semantic[-2:] == CAR] = GROUP  # a group: cars that are not told apart
        put(root / f"gtFine/{split}/{name}_gtFine_instanceIds.png", instance)
        put(root / f"gtFine/{split}/{name}_gtFine_color.png", photo(1, mode="RGBA"))
        put(root / f"gtFine/{split}/{name}_gtFine_polygons.json", b'{"objects": []}')
    if coarse or not fine:
        rough = np.where(semantic == ROAD, ROAD, 0).astype(np.uint8)
        put(root / f"gtCoarse/{split}/{name}_gtCoarse_labelIds.png", rough)
        put(root / f"gtCoarse/{split}/{name}_gtCoarse_instanceIds.png", rough.astype(np.uint16))
        put(root / f"gtCoarse/{split}/{name}_gtCoarse_color.png", photo(1, mode="RGBA"))
        put(root / f"gtCoarse/{split}/{name}_gtCoarse_polygons.json", b"{}")


def test_labels_instances_and_coarse_maps_come_in_as_they_are(tmp_path):
    root = write_city(tmp_path / "city", test=3)
    before = listing(root)
    world = import_dataset("cityscapes", root, tmp_path / "world")
    assert listing(root) == before
    assert world.splits() == {("target", "train"): 4, ("target", "val"): 2}
    assert world.name == "cityscapes" and len(world.classes) == 19 and not world.manifest.components
    name = "train/weimar/weimar_000001_000019"
    truth, pool = world.truth(), world.pool()
    assert pool.encoded(name) == (root / f"leftImg8bit/{name}_leftImg8bit.png").read_bytes(), "bytes pass through"
    lut = {ROI: 255, ROAD: 0, PERSON: 11, CAR: 13, LIGHT: 6, LIGHT + 1: 7}
    np.testing.assert_array_equal(truth.semantic(name), np.vectorize(lut.get)(semantic_of(1)))
    ids, cars = truth.instance(name), semantic_of(1) == CAR
    assert len({*ids[:4][cars[:4]]}) == len({*ids[4:-2][cars[4:-2]]}) == 1 and ids[0][cars[0]][0] != ids[5][cars[5]][0]
    assert not ids[-2:][cars[-2:]].any(), "a group has no number"
    assert (ids[semantic_of(1) == PERSON] > 0).all(), "the number 0 of a class is a number"
    assert not ids[~np.isin(semantic_of(1), (CAR, PERSON))].any()
    np.testing.assert_array_equal(truth.coarse(name), np.where(semantic_of(1) == ROAD, 0, 255))
    (remark,) = world.manifest.notes.remarks
    assert "3 images at leftImg8bit/test" in remark and "not given out" in remark


def test_train_extra_has_coarse_labels_alone(tmp_path):
    root = write_city(tmp_path / "city", extra=3, coarse=False)
    world = import_dataset("cityscapes-extra", root, tmp_path / "world")
    assert world.splits() == {("target", "train"): 7, ("target", "val"): 2}
    truth = world.truth()
    extra = [scene for scene in truth.scenes() if scene.startswith("train_extra/bamberg/")]
    assert len(extra) == 3 and not any(map(truth.is_fine, extra)) and truth.coarse(extra[0]) is not None
    assert truth.is_fine("train/aachen/aachen_000000_000019")
    assert [r for r in world.manifest.notes.remarks if "no coarse labels" in r or "have no coarse" in r]


def test_training_images_without_labels_are_kept_when_asked_for(tmp_path):
    root = write_city(tmp_path / "city", extra=3)
    write_scene(root, "train_extra", "erlangen/erlangen_000000_000001", 9, fine=False)
    for path in [*root.glob("gtCoarse/train_extra/bamberg/*"), *root.glob("gt*/val/lindau/lindau_000001*")]:
        path.unlink()
    without = import_dataset("cityscapes-extra", root, tmp_path / "without")
    world = import_dataset("cityscapes-extra", root, tmp_path / "world", unlabelled=True)
    assert without.splits() == {("target", "train"): 5, ("target", "val"): 1}
    assert world.splits() == {("target", "train"): 8, ("target", "val"): 1}
    truth, notes = world.truth(), world.manifest.notes
    bare = [scene for scene in truth.scenes() if not truth.has(scene, "coarse")]
    assert bare == [f"train_extra/bamberg/bamberg_000000_{i:06d}" for i in range(3)]
    assert notes.remarks[0].startswith("3 of 9 scenes have no labels")
    assert len(without.manifest.notes.images_without_labels) == 4
    (left_out,) = notes.images_without_labels
    assert "val/lindau/lindau_000001" in left_out
    with pytest.raises(BadWorld, match="scenes of a target alone; this is to be a source"):
        import_dataset("cityscapes", root, tmp_path / "source", domain="source", unlabelled=True)


def test_as_a_source_its_labels_are_free(tmp_path):
    root = write_city(tmp_path / "city", count=1)
    world = import_dataset("cityscapes", root, tmp_path / "world", domain="source")
    assert set(world.splits()) == {("source", "train"), ("source", "val")}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("", r"Cityscapes has leftImg8bit/train/\{city\}.*found city/.*Give .*/city, where it is"),
        ("city/leftImg8bit/train", r"has leftImg8bit/train/.*found aachen/, weimar/\. Give .*/city, where it is"),
        ("empty", "found nothing. Correct the path"),
        ("nowhere", "must be a folder with leftImg8bit/train/.*there is no such folder"),
        ("x" * 300, "must lie in readable folders|no such folder"),
        ("a\0b", "must lie in readable folders|no such folder"),
    ],
)
def test_a_wrong_root_says_what_was_looked_for_and_what_was_found(tmp_path, given, says):
    write_city(tmp_path / "data" / "city", count=1)
    (tmp_path / "data" / "empty").mkdir()
    with pytest.raises(BadWorld, match=says):
        import_dataset("cityscapes", tmp_path / "data" / given, tmp_path / "world")
    assert not (tmp_path / "world").exists()


def test_without_the_label_archive_it_says_which_file_is_missing(tmp_path):
    root = write_city(tmp_path / "city", count=1)
    for path in (root / "gtFine").rglob("*labelIds.png"):
        path.unlink()
    with pytest.raises(
        BadWorld,
        match=r"none of 3 images, e.g. .*aachen.*gtFine/train.*labelIds.png, and in .*gtFine/train there is "
        r"6 files like aachen/aachen_000000_000019_gtFine_color\.png\. Unpack",
    ):
        import_dataset("cityscapes", root, tmp_path / "world")


def test_a_missing_half_and_what_has_no_place_are_named(tmp_path):
    root = write_city(tmp_path / "city")
    gone = "train/aachen/aachen_000000_000019"
    (root / f"gtFine/{gone}_gtFine_labelIds.png").unlink()
    (root / "leftImg8bit/val/lindau/lindau_000001_000019_leftImg8bit.png").unlink()
    (root / "gtFine/train/weimar/weimar_000000_000019_gtFine_instanceIds.png").unlink()
    put(root / "gtFine/train/aachen/copy of labels.png", b"x")
    put(root / "leftImg8bit/train/aachen/.DS_Store", b"x")
    world = import_dataset("cityscapes", root, tmp_path / "world")
    notes = world.manifest.notes
    assert world.splits() == {("target", "train"): 3, ("target", "val"): 1}
    assert notes.images_without_labels == (str(root / f"leftImg8bit/{gone}_leftImg8bit.png"),)
    assert len(notes.labels_without_images) == 3, "its label, instance and coarse file"
    assert world.truth().instance("train/weimar/weimar_000000_000019") is None
    assert [r for r in notes.remarks if "weimar_000000_000019" in r and "no instance labels" in r]
    assert [r for r in notes.remarks if "copy of labels.png: has no place" in r]
    assert not [r for r in notes.remarks if ".DS_Store" in r or "polygons" in r or "color" in r]


def test_mixed_versions_of_two_label_files_are_named_and_one_counts(tmp_path):
    root = write_city(tmp_path / "city", count=1)
    path = root / "gtFine/train/aachen/aachen_000000_000019_gtFine_instanceIds.png"
    other = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    other[0, :3] = CAR * 1000 + 3
    put(path, other)
    world = import_dataset("cityscapes", root, tmp_path / "world")
    assert [r for r in world.manifest.notes.remarks if f"{path}: on 3 px it has another class" in r]
    np.testing.assert_array_equal(
        world.truth().semantic("train/aachen/aachen_000000_000019") == 255, semantic_of(0) == ROI
    )


def test_an_unknown_id_stops_the_import(tmp_path):
    root = write_city(tmp_path / "city", count=1)
    path = root / "gtFine/train/weimar/weimar_000000_000019_gtFine_labelIds.png"
    put(path, blocks(ROAD, 77))
    with pytest.raises(UnknownLabel, match=rf"weimar_000000_000019_gtFine_labelIds.png: .*id 77 on {11 * HEIGHT} px"):
        import_dataset("cityscapes", root, tmp_path / "world", max_bad=1.0)
    assert not list(tmp_path.glob("*world*")), "nothing stays"


IMAGE = "leftImg8bit/train/aachen/aachen_000000_000019_leftImg8bit.png"
LABEL = "gtFine/train/aachen/aachen_000000_000019_gtFine_labelIds.png"


@pytest.mark.parametrize(
    ("file", "data", "says"),
    [
        (IMAGE, b"", "found 0 bytes"),
        (IMAGE, photo()[:-80], "must be a whole"),
        (IMAGE, np.zeros((HEIGHT, WIDTH, 3), np.uint16), "8 bits a channel; found 16 bits"),
        (IMAGE, b"GIF89a", "must be a whole"),
        (LABEL, b"", "found 0 bytes"),
        (LABEL, blocks(ROAD, CAR)[:, :-1], "labels must be 16x12 like their image; found 15x12"),
        (LABEL, photo(), "one channel of class ids; found colours"),
        (IMAGE, "nowhere", "must be a readable file"),
    ],
)
def test_one_bad_file_is_left_out_and_named_and_loses_nothing_else(tmp_path, file, data, says):
    root = write_city(tmp_path / "city")
    (root / file).unlink()
    (root / file).symlink_to(root / data) if isinstance(data, str) else put(root / file, data)
    with pytest.raises(BadWorld, match=r"1 of 6 scenes cannot be used, more than the share 0\.01"):
        import_dataset("cityscapes", root, tmp_path / "world")
    world = import_dataset("cityscapes", root, tmp_path / "world", max_bad=0.2)
    notes = world.manifest.notes
    (line,) = notes.skipped + notes.size_mismatches
    assert file in line and says in line
    assert world.splits() == {("target", "train"): 3, ("target", "val"): 2}


def test_what_an_image_carries_beside_its_colours_is_remarked(tmp_path):
    from PIL import Image

    root = write_city(tmp_path / "city", count=1)
    exif = Image.Exif()
    exif[0x0112] = 6
    put(root / IMAGE, photo(3, mode="RGBA"))
    turned = "leftImg8bit/train/weimar/weimar_000000_000019_leftImg8bit.png"
    put(root / turned, photo(4, exif=exif.tobytes()))
    world = import_dataset("cityscapes", root, tmp_path / "world")
    assert sum(world.splits().values()) == 3
    remarks = world.manifest.notes.remarks
    assert [r for r in remarks if IMAGE in r and "alpha channel, which is not read" in r]
    assert [r for r in remarks if turned in r and "rotation flag 6, which is not followed" in r]
    assert world.pool().image("train/weimar/weimar_000000_000019").shape == (HEIGHT, WIDTH, 3)


def test_names_with_blanks_umlauts_and_twins(tmp_path):
    root = write_city(tmp_path / "city", count=1)
    write_scene(root, "train", "zürich am see/zürich am see_000000_000001", 3)
    write_scene(root, "train", "zürich am see/ZÜRICH AM SEE_000000_000001", 4)
    apart = unicodedata.normalize("NFD", "zürich am see")
    for path in list((root / "gtFine/train/zürich am see").iterdir()):
        put(root / f"gtFine/train/{apart}" / unicodedata.normalize("NFD", path.name), path.read_bytes())
        path.unlink()
    world = import_dataset("cityscapes", root, tmp_path / "world")
    scenes = [scene for scene in world.pool().scenes() if "am see" in scene]
    assert sorted(scenes) == sorted(
        ["train/zürich am see/zürich am see_000000_000001", "train/zürich am see/ZÜRICH AM SEE_000000_000001"]
    ), "both halves in one spelling of an umlaut"
    assert [r for r in world.manifest.notes.remarks if "in upper and lower case alone" in r]


def test_two_files_of_one_scene_are_named(tmp_path):
    root = write_city(tmp_path / "city", count=1)
    folder = root / "leftImg8bit/train"
    apart = folder / unicodedata.normalize("NFD", "köln")
    write_scene(root, "train", "köln/köln_000000_000001", 3)
    put(apart / "köln_000000_000001_leftImg8bit.png", photo(9))
    world = import_dataset("cityscapes", root, tmp_path / "world")
    (line,) = world.manifest.notes.skipped
    assert "a scene has one such file" in line and "köln_000000_000001" in unicodedata.normalize("NFC", line)
    assert sum("köln" in scene for scene in world.pool().scenes()) == 1


def test_links_out_of_the_root_are_followed_and_named(tmp_path):
    root = write_city(tmp_path / "city", count=1)
    (tmp_path / "elsewhere").mkdir()
    (root / "leftImg8bit/train/weimar").rename(tmp_path / "elsewhere/weimar")
    (root / "leftImg8bit/train/weimar").symlink_to(tmp_path / "elsewhere/weimar")
    (root / LABEL).rename(tmp_path / "elsewhere/label.png")
    (root / LABEL).symlink_to(tmp_path / "elsewhere/label.png")
    (tmp_path / "link").symlink_to(root)
    world = import_dataset("cityscapes", tmp_path / "link", tmp_path / "world")
    assert world.splits() == {("target", "train"): 2, ("target", "val"): 1}
    remarks = world.manifest.notes.remarks
    assert len(remarks) == 2 and [r for r in remarks if "weimar: leads out of" in r and "with 1 files" in r]
    assert [r for r in remarks if f"is a link out of {tmp_path / 'link'}, to {tmp_path / 'elsewhere/label.png'}" in r]


def test_a_world_never_goes_where_the_data_set_is(tmp_path):
    root = write_city(tmp_path / "city", count=1)
    for place in ("leftImg8bit/train/new", "gtFine"):
        with pytest.raises(BadWorld, match="new or empty|apart from the files"):
            import_dataset("cityscapes", root, root / place)
    assert sum(import_dataset("cityscapes", root, root / "worlds" / "cityscapes").splits().values()) == 3


@pytest.mark.parametrize(
    ("name", "domain", "says"),
    [("cityscape", "", "Did you mean 'cityscapes'"), ("cityscapes", "both", "must be one of source, target")],
)
def test_a_name_that_is_unknown_is_told(tmp_path, name, domain, says):
    with pytest.raises(BadWorld, match=says):
        import_dataset(name, tmp_path, tmp_path / "world", domain=domain)
