"""A record names the scenes that its stages lack because their images are at fault."""

from dataclasses import replace

from toystudy import toy_study
from toyworld import TOY, toy_scene

from segfrontier.home.records import Record
from segfrontier.scenes.writer import WorldWriter
from segfrontier.study.run import run_study


def spoilt(folder, *, train=12, val=5, bad=(15,)):
    """Toy scenes, some of which are stored as bytes that are no image."""
    with WorldWriter(folder, name="toy", classes=TOY) as out:
        for number in range(train + val):
            scene = toy_scene(number, split="train" if number < train else "val")
            out.add(replace(scene, image=b"no image") if number in bad else scene)
    return str(folder)


def records_of(tmp_path, world, name):
    study = toy_study(tmp_path, name=name, methods=["fine"], budgets=["all"], seeds=[0])
    study = study.of(study.resolved() | {"worlds": world, "methods": ["oracle"], "budgets": []})
    run = run_study(study, home=tmp_path / "runs", tracking="none")
    return [Record.read(run.study.home.cell(key)) for key in run.outcomes]


def test_what_is_left_out_stands_in_the_record(tmp_path):
    (record,) = records_of(tmp_path, spoilt(tmp_path / "bad", bad=(3, 15)), "bad")
    assert record.state == "done" and record.scenes == 4
    kinds = {stage.partition(" ")[0]: lines for stage, lines in record.left_out.items()}
    assert set(kinds) <= {"train", "score"} and len(kinds["score"]) == 1 and "target/val/015" in kinds["score"][0]
    assert {stage.partition(" ")[2] for stage in record.left_out} <= {stage.key for stage in record.stages}
    if "train" in kinds:
        assert all("target/train/003" in line for line in kinds["train"])


def test_an_intact_world_leaves_nothing_out(tmp_path):
    (record,) = records_of(tmp_path, spoilt(tmp_path / "good", bad=()), "good")
    assert record.state == "done" and record.left_out == {}
