"""Validation scenes for a data set that has none: drawn by name and seed, so that more scenes move no others."""

import pytest
from test_world_import import make_dataset

from segfrontier.errors import BadWorld
from segfrontier.scenes.folders import FolderSpec, pair
from segfrontier.scenes.holdout import Holdout
from segfrontier.scenes.importing import import_folders


def train_only(root, *, count=4, images="images/train/{id}.png", labels="labels/train/{id}.png", **changes):
    splits = {"train": {"images": images, "semantic": labels}}
    return make_dataset(root, count=count, instances="none", **({"splits": splits} | changes))


def val_scenes(spec):
    return {files.id for files in pair(FolderSpec.load(spec)).scenes if files.split == "val"}


@pytest.mark.parametrize("given", ["40 %", 0.4, {"share": "40 %", "seed": 0}])
def test_a_share_may_stand_among_the_splits_as_well_as_beside_them(tmp_path, given):
    train = {"images": "images/train/{id}.png", "semantic": "labels/train/{id}.png"}
    among = val_scenes(train_only(tmp_path / "a", count=9, splits={"train": train, "val": given}))
    assert among == val_scenes(train_only(tmp_path / "b", count=9, val=given)) != set()
    with pytest.raises(BadWorld, match=r"splits\.val"):  # one of the two, not both
        FolderSpec.load(train_only(tmp_path / "c", splits={"train": train, "val": given}, val=given))


@pytest.mark.parametrize("given", ["20 %", "20%", 0.2, {"share": "20 %"}, {"share": 0.2, "seed": 0}])
def test_a_share_may_be_written_in_several_ways(given):
    assert Holdout.model_validate(given) == Holdout(share=0.2)


@pytest.mark.parametrize(
    "given",
    ["20", "0 %", "100 %", "a fifth", 0, 1, -0.2, 20, "-5 %", True, [0.2], {"seed": 1}, {"share": 0.2, "seed": -1},
     {"share": 0.2, "seeds": 1}],
)  # fmt: skip
def test_what_is_no_share_is_refused(tmp_path, given):
    with pytest.raises(BadWorld, match="val"):
        FolderSpec.load(train_only(tmp_path, val=given))


def test_the_split_is_nested_in_the_share_and_in_the_scenes(tmp_path):
    names = [f"frame{i}" for i in range(2000)]
    fifth, half = ({n for n in names if Holdout(share=s).takes(n)} for s in (0.2, 0.5))
    assert fifth < half and 340 < len(fifth) < 460
    assert fifth != {n for n in names if Holdout(share=0.2, seed=1).takes(n)}
    few = val_scenes(train_only(tmp_path / "few", count=12, val="30 %"))
    more = val_scenes(train_only(tmp_path / "more", count=24, val="30 %"))
    assert few and few == {scene for scene in more if int(scene.rpartition("s")[2]) < 12} and few < more


def test_a_world_is_split_and_says_how(tmp_path):
    world = import_folders(FolderSpec.load(train_only(tmp_path / "data", count=12, val="30 %")), tmp_path / "world")
    counts = world.splits()
    assert set(counts) == {("target", "train"), ("target", "val")} and sum(counts.values()) == 12
    assert world.manifest.origin["spec"]["val"] == {"share": 0.3, "seed": 0, "by": None}
    assert not set(world.pool().scenes()) & set(world.pool(split="val").scenes())
    world.require_target()


def test_scenes_of_one_name_stay_together(tmp_path):
    spec = train_only(
        tmp_path, count=8, images="images/{town}/{id}.png", labels="labels/{town}/{id}.png",
        val={"share": 0.5, "seed": 2, "by": "town"},
    )  # fmt: skip
    found = val_scenes(spec)
    assert {scene.split("/")[2] for scene in found} == {"val"} or {scene.split("/")[2] for scene in found} == {"train"}
    assert len(found) == 8, "all frames of one town and none of the other"
    with pytest.raises(BadWorld, match="`val.by` must be a name in each `images` template; 'city' is none of id"):
        FolderSpec.load(train_only(tmp_path / "b", val={"share": 0.5, "by": "city"}))


def test_scenes_without_fine_labels_are_never_scored_on(tmp_path):
    spec = make_dataset(tmp_path, count=12, instances="none", val="40 %", splits={
        "train": {"images": "images/train/{id}.png", "semantic": "labels/train/{id}.png"},
        "more": {"images": "images/val/{id}.png", "coarse": "labels/val/{id}.png", "split": "train"},
    })  # fmt: skip
    found = val_scenes(spec)
    assert found and all(scene.startswith("train/") for scene in found)


def test_a_split_that_leaves_nothing_or_is_not_needed_is_refused(tmp_path):
    with pytest.raises(BadWorld, match="0.1 % drawn with seed 0 leaves none for 'val'. Change the share"):
        pair(FolderSpec.load(train_only(tmp_path / "a", count=4, val="0.1 %")))
    with pytest.raises(BadWorld, match="99.9 % drawn with seed 0 leaves none for 'train'"):
        pair(FolderSpec.load(train_only(tmp_path / "a", count=4, val="99.9 %")))
    with pytest.raises(BadWorld, match="where there is no split 'val'; found the splits train, val"):
        FolderSpec.load(make_dataset(tmp_path / "b", val="20 %"))


def test_images_and_labels_that_never_meet_are_told_with_one_of_each(tmp_path):
    spec = FolderSpec.load(train_only(tmp_path / "data", labels="labels/train/{id}.PNG"))
    with pytest.raises(BadWorld, match=r"none of 4 images, e.g. .*s0.png, has a label file, and there is no label"):
        import_folders(spec, tmp_path / "world")
    for file in (tmp_path / "data/labels/train").iterdir():
        file.rename(file.with_name(f"{file.stem}_mask.PNG"))
    with pytest.raises(BadWorld, match=r"labels/train/s0_mask.PNG stands alone. Correct the templates"):
        import_folders(spec, tmp_path / "world")
    assert not (tmp_path / "world").exists()
