"""train, methods, ledger and store as a user types them."""

import json

import pytest
from terminal import segfrontier
from toyworld import write_toy

TINY = [
    "--encoder",
    "test_resnet",
    "--pretrained",
    "never",
    "--steps",
    3,
    "--batch",
    2,
    "--prices",
    "street",
    "--tracking",
    "none",
]


def train(folder, *words):
    return segfrontier("train", *words, "--world", "toy", *TINY, folder=folder)


def test_a_run_prints_scores_and_is_found_again(tmp_path):
    write_toy(tmp_path / "toy")
    first = train(tmp_path, "fine", "--hours", 6)
    assert first.returncode == 0, first.stderr
    for wanted in ("ground", "wall", "car", "mIoU", "annotation: 6.0 h", "pictures.png"):
        assert wanted in first.stdout
    assert "1 cells, 1 to compute" in first.stderr and "done mIoU" in first.stderr
    again = train(tmp_path, "fine", "--hours", 6)
    assert again.stdout == first.stdout and "1 cells, 0 to compute" in again.stderr
    named = train(tmp_path, "fine", "--hours", 6, "--name", "mine")
    assert named.stdout == first.stdout, "a study of another name stands on the same cell"
    listed = segfrontier("status", "mine", "--cells", folder=tmp_path).stdout
    assert "1 done" in listed and "fine, 6 h, seed 0" in listed

    bill = json.loads(segfrontier("ledger", "runs", "--json", folder=tmp_path).stdout)
    assert bill["seconds"] == 4 * 5400, "the second run bought nothing"
    assert bill["cells"][0]["label"] == "fine, 6 h, seed 0"
    text = segfrontier("ledger", "runs", folder=tmp_path).stdout
    assert "fine, 6 h, seed 0" in text and "6.00" in text and "validation" in text and "free" in text
    dear = segfrontier("ledger", "runs", "--prices", "bdd100k", folder=tmp_path).stdout
    assert "5.00 h" in dear

    rows = json.loads(segfrontier("store", "ls", "--json", folder=tmp_path).stdout)
    assert sorted(r["kind"] for r in rows) == ["score", "source", "train"]
    listed = segfrontier("store", "ls", folder=tmp_path).stdout
    assert "3 stages" in listed
    dry = segfrontier("store", "gc", "--under", "1B", "--dry-run", folder=tmp_path).stdout
    assert "would remove 3 stages" in dry
    assert "removed 3 stages" in segfrontier("store", "gc", "--under", "1B", "--yes", folder=tmp_path).stdout


def test_json_for_scripts(tmp_path):
    write_toy(tmp_path / "toy")
    done = train(
        tmp_path,
        "synthetic",
        "--hours",
        0,
        "--json",
        "--set",
        "recipe.snapshots=2",
        "--set",
        "recipe.lr=0.001",
        "--set",
        "recipe.crop=[16,16]",
    )
    plain = json.loads(done.stdout)
    assert plain["spent_seconds"] == 0 and set(plain["iou"]) == {"ground", "wall", "car"}
    assert plain["oracle_best"]["miou"] >= plain["values"]["miou_present"]
    methods = json.loads(segfrontier("methods", "--json", folder=tmp_path).stdout)
    assert methods["fine+coarse"]["knobs"]["split"] == 0.5


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("train", "fnie"), 3, "did you mean 'fine'"),
        (("train", "--set", "recipe.stepz=3"), 3, "did you mean 'steps'"),
        (("train", "--set", "recipe.steps=few"), 3, "steps: must be a valid integer"),
        (("train", "--set", "steps"), 3, "takes place=value"),
        (("train", "--set", "seeds=[0,1]"), 3, "these settings make 2"),
        (("train", "--name", "a/b"), 3, "name"),
        (("train", "--hours", "some"), 3, "a number of hours"),
        (("train", "--hours", "-3"), 3, "budget"),
        (("train", "--encoder", "resnet18x", "--hours", 10), 3, "did you mean"),
        (("train", "--hours", "0.1"), 3, "at least one fine mask"),
        (("ledger", "absent.sqlite"), 3, "absent.sqlite"),
        (("ledger", "toy/world.json"), 3, "ledger"),
        (("store", "gc", "--older-than", "soon"), 3, "soon"),
    ],
)
def test_wrong_input_is_explained(tmp_path, words, code, message):
    write_toy(tmp_path / "toy")
    extra = ["--world", "toy", "--prices", "street", "--pretrained", "never"] if words[0] == "train" else []
    done = segfrontier(*words, *extra, folder=tmp_path)
    assert done.returncode == code, done.stderr
    assert message in " ".join(done.stderr.split()) and "Traceback" not in done.stderr, done.stderr
