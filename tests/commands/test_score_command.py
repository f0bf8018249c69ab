"""score, and train --split, as a user types them: a split that nothing of a study looked at, and who has looked."""

import json
from dataclasses import replace

import pytest
from terminal import segfrontier
from toystudy import toy_study
from toyworld import TOY, toy_scene, write_toy

from segfrontier.home.layout import Home
from segfrontier.home.records import records
from segfrontier.market import Ledger
from segfrontier.scenes.writer import WorldWriter
from segfrontier.study.run import run_study

OTHER = replace(TOY, name="other", classes=(*TOY.classes[:2], replace(TOY.classes[2], name="lorry")))
SPLITS = {"source_train": 5, "target_train": 6, "target_val": 3, "target_test": 2}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A home with two finished cells on a world that has a test split, and another world without one."""
    folder = tmp_path_factory.mktemp("made")
    study = toy_study(folder, methods=["fine"], budgets=[200 / 3600])
    write_toy(folder / "tested", **SPLITS)
    write_toy(folder / "plain", target_train=6, target_val=3)
    with WorldWriter(folder / "other", name="other", classes=OTHER) as out:
        out.add(toy_scene(0))
        out.add(toy_scene(1, split="val"))
    tested = study.worlds[0].model_copy(update={"target": str(folder / "tested")})
    run_study(study.model_copy(update={"worlds": (tested,)}), home=folder / "runs", tracking="none")
    return folder


def keys(made):
    return [record.key for record in records(Home(made / "runs").study("toy"))]


def score(made, *words):
    done = segfrontier("score", *words, "--device", "cpu", folder=made)
    return done, json.loads(done.stdout) if "--json" in words else done.stdout


def test_each_look_is_counted_once_and_stands_in_the_account(made):
    first, second = keys(made)
    words = (f"runs:{first[:12]}", "--split", "test", "--json")
    _, one = score(made, *words)
    _, again = score(made, *words)
    assert again == one and (one["scenes"], one["looks"], one["split"]) == (2, 1, "test")
    done, text = score(made, made / "runs" / "cells" / second)
    assert done.returncode == 0 and "2 models of this home scored on test so far" in text, "by default on test"
    lines = Ledger(made / "runs" / "ledger").free_lines()
    assert {(line.cell, line.count) for line in lines if line.detail == "target/test"} == {(first, 2), (second, 2)}


def test_on_the_split_of_its_study_it_scores_what_its_record_says(made):
    (record, _) = records(Home(made / "runs").study("toy"))
    _, found = score(made, f"runs:{record.key}", "--split", "val", "--json")
    assert found["values"]["miou_present"] == record.miou and found["scenes"] == record.scenes == 3
    _, other = score(made, f"runs:{record.key}", "--split", "val", "--json", "--world", made / "plain")
    assert other["world"] == "toy" and other["values"] != found["values"], "other scenes, of another world"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("{key}", "--split", "train"), "labels are not for sale: test, val; found 'train'"),
        (("{key}", "--split", "night"), "found 'night'. Name one of these"),
        (("{key}", "--world", "plain"), "labels are not for sale: val; found 'test'"),
        (("{key}", "--world", "other", "--split", "val"), "differing: car, lorry"),
        (("runs:{none}", "--split", "test"), "a finished cell, named by HOME:KEY"),
        (("nowhere:00",), "a finished cell, named by HOME:KEY"),
        (("tested",), "a finished cell, named by HOME:KEY"),
    ],
)
def test_what_cannot_be_scored_is_refused_and_counts_as_no_look(made, words, why):
    before = len(Ledger(made / "runs" / "ledger").free_lines())
    there = keys(made)
    none = next(begins for begins in ("00", "11", "22") if not any(key.startswith(begins) for key in there))
    done, _ = score(made, *[word.format(key=f"runs:{there[0]}", none=none) for word in words])
    assert done.returncode == 3 and why in done.stderr.replace("\n", " "), done.stderr
    assert len(Ledger(made / "runs" / "ledger").free_lines()) == before


def test_train_scores_on_it_too_and_knows_before_it_trains_whether_it_is_there(made):
    words = (
        "train", "fine", "--world", "tested", "--prices", "toy.yaml", "--hours", "0.06", "--encoder", "test_resnet",
        "--pretrained", "never", "--steps", "1", "--batch", "2", "--home", "trained", "--tracking", "none",
    )  # fmt: skip
    refused = segfrontier(*words, "--split", "night", folder=made)
    assert refused.returncode == 3 and "night" in refused.stderr and not (made / "trained").exists()
    done = segfrontier(*words, "--split", "test", folder=made)
    assert done.returncode == 0, done.stderr
    assert "in 3 validation scenes" in done.stdout and "in 2 scenes of toy/test" in done.stdout
