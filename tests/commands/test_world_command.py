"""The world command as a user types it."""

import json

import pytest
from terminal import segfrontier
from toyworld import write_toy


def test_inspect_and_list_give_json_and_a_table(tmp_path):
    write_toy(tmp_path / "worlds" / "toy")
    report = json.loads(segfrontier("world", "inspect", "worlds/toy", "--json", folder=tmp_path).stdout)
    assert [(s["domain"], s["split"], s["scenes"]) for s in report["splits"]] == [
        ("source", "train", 5), ("target", "train", 6), ("target", "val", 3),
    ]  # fmt: skip
    text = segfrontier("world", "inspect", "worlds/toy", folder=tmp_path).stdout
    assert "target/val  3 scenes, 32x24, void 6.25%" in text and "images in more than one split: 0" in text
    listed = json.loads(segfrontier("world", "list", "--json", folder=tmp_path).stdout)
    assert [r["name"] for r in listed] == ["street", "toy"]


def test_preview_writes_a_picture(tmp_path):
    write_toy(tmp_path / "toy")
    done = segfrontier("world", "preview", "toy", "--rows", 1, "--width", 64, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / done.stdout.strip()).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("world", "inspect", "nowhere"), 3, "a world folder holds a world.json; there is none"),
        (("world", "inspect", "street:trian=3"), 3, "did you mean 'train'?"),
        (("world", "inspect", "street:size=96"), 3, "HEIGHTxWIDTH"),
        (("world", "inspect", "street:train=many"), 3, "train must be int; found 'many'"),
        (("world", "inspect", "street:val=0"), 3, "at least one train and one val scene"),
        (("world", "import", "camvid", "here"), 2, "takes the dataset's folder and the new"),
        (("world", "import", "absent.yaml", "here"), 3, "readable"),
        (("world", "paint"), 2, "No such command"),
    ],
)
def test_wrong_input_ends_with_its_code_and_advice(tmp_path, words, code, message):
    done = segfrontier(*words, folder=tmp_path)
    assert done.returncode == code and message in done.stderr.replace("\n", " "), done.stderr
    assert "Traceback" not in done.stderr
