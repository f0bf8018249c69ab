"""The world command as a user types it."""

import json
import shutil
from dataclasses import replace

import cv2
import numpy as np
import pytest
from terminal import segfrontier
from toyworld import TOY, toy_scene, write_toy

from segfrontier.market.prices import read_prices
from segfrontier.scenes.writer import WorldWriter


def test_inspect_and_list_give_json_and_a_table(tmp_path):
    write_toy(tmp_path / "worlds" / "toy")
    report = json.loads(segfrontier("world", "inspect", "worlds/toy", "--json", folder=tmp_path).stdout)
    assert [(s["domain"], s["split"], s["scenes"]) for s in report["splits"]] == [
        ("source", "train", 5), ("target", "train", 6), ("target", "val", 3),
    ]  # fmt: skip
    text = segfrontier("world", "inspect", "worlds/toy", folder=tmp_path).stdout
    assert "target/val  3 scenes, 32x24, void 6.25%" in text and "images in more than one split: 0" in text
    assert "findings: 0" in text
    listed = json.loads(segfrontier("world", "list", "--json", folder=tmp_path).stdout)
    assert [r["name"] for r in listed] == ["street", "toy"]


def test_inspect_writes_a_page_and_ends_with_1_where_a_split_is_of_no_use(tmp_path):
    scenes = [replace(toy_scene(n), semantic=np.full((24, 32), 255, np.uint8), instance=None) for n in range(2)]
    with WorldWriter(tmp_path / "void", name="void", classes=TOY) as out:
        for scene in scenes:
            out.add(scene)
    done = segfrontier("world", "inspect", "void", "--html", "void.html", "--sample", 1, folder=tmp_path)
    assert done.returncode == 1 and not done.stderr, done.stderr
    assert "1 of 2 scenes (seed 0)" in done.stdout
    assert "error: target/train: label maps in which no pixel has a class: 1 of 1 scenes" in done.stdout
    assert "cannot" not in done.stdout and (tmp_path / "void.html").read_text().startswith("<!doctype html>")
    found = json.loads(segfrontier("world", "inspect", "void", "--json", folder=tmp_path).stdout)["findings"]
    assert [(f["severity"], f["kind"]) for f in found] == [("error", "all-void"), ("note", "unused-classes")]


def test_inspect_writes_its_own_page_again_and_no_other_file(tmp_path):
    write_toy(tmp_path / "toy", target_train=1, target_val=1)
    (tmp_path / "mine.html").write_text("<!doctype html>mine")
    for page, again in (("page.html", 0), ("mine.html", 3)):
        first, second = (segfrontier("world", "inspect", "toy", "--html", page, folder=tmp_path) for _ in range(2))
        assert second.returncode == again, second.stderr
    assert "must not take the place of another file" in second.stderr and first.returncode == 3
    assert (tmp_path / "mine.html").read_text() == "<!doctype html>mine"


def test_preview_writes_a_picture(tmp_path):
    write_toy(tmp_path / "toy")
    done = segfrontier("world", "preview", "toy", "--rows", 1, "--width", 64, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / done.stdout.strip()).read_bytes().startswith(b"\x89PNG")


def test_export_says_how_to_import_it_again(tmp_path):
    write_toy(tmp_path / "toy")
    done = segfrontier("world", "export", "toy", "my files", folder=tmp_path)
    assert done.returncode == 0 and "my files: 14 scenes" in done.stdout, done.stderr
    assert "next: segfrontier world import" in done.stdout and (tmp_path / "my files/world.yaml").is_file()
    again = segfrontier("world", "import", "my files/world.yaml", "again", folder=tmp_path)
    assert again.returncode == 0 and "source/train: 5 scenes" in again.stdout, again.stderr


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("world", "export", "nowhere", "new"), 3, "a world folder holds a world.json; there is none"),
        (("world", "export", "street:train=1,val=1,synthetic=0", "folder"), 3, "e.g. 'mine.txt'"),
        (("world", "inspect", "nowhere"), 3, "a world folder holds a world.json; there is none"),
        (("world", "inspect", "street:trian=3"), 3, "did you mean 'train'?"),
        (("world", "inspect", "street:size=96"), 3, "HEIGHTxWIDTH"),
        (("world", "inspect", "street:train=many"), 3, "train must be int; found 'many'"),
        (("world", "inspect", "street:val=0"), 3, "at least one train and one val scene"),
        (("world", "import", "camvid", "here"), 2, "takes the dataset's folder and the new"),
        (("world", "import", "absent.yaml", "here"), 3, "readable"),
        (("world", "paint"), 2, "No such command"),
        (("world", "list", "nowhere"), 3, "there is no such folder"),
        (("world", "preview", "nowhere"), 3, "a world folder holds a world.json; there is none"),
        (("world", "inspect", "/etc/passwd"), 3, "a world folder holds a readable world.json"),
        (("world", "inspect", "street:train=99999999999"), 3, "1000000 scenes at most"),
        (("world", "inspect", "street:size=²x³"), 3, "HEIGHTxWIDTH"),
        (("world", "preview", "street", "--width", "1000000000"), 2, "Invalid value for '--width'"),
        (("world", "preview", "street", "--rows", "1000000000"), 2, "Invalid value for '--rows'"),
        (("world", "preview", "street", "--out", "x.xyz"), 3, "must end in .png, .jpg, .jpeg, .webp; found '.xyz'"),
        (("world", "preview", "street", "--out", "x"), 3, "found 'no ending'"),
        (("world", "preview", "street", "--out", "file/x.png"), 3, "must lie in a folder"),
        (("world", "preview", "street", "--out", "mine.png"), 3, "must not take the place of another file"),
        (("world", "import", "street:train=1,val=1", "file"), 3, "a file is there"),
        (("world", "import", "street:train=1,val=1", "file/world"), 3, "must lie in a folder that is writable"),
        (("world", "import", "absent.yaml", "folder"), 3, "e.g. 'mine.txt'"),
        (("world", "import", "file", "here"), 3, "name: must be given"),
        (("world", "import", "folder", "here"), 3, "it is a folder"),
        (("world", "import", "camvid", "folder", "here"), 3, "SegNet layout"),
    ],
)
def test_wrong_input_ends_with_its_code_and_advice(tmp_path, words, code, message):
    (tmp_path / "file").write_text("mine: 1")
    (tmp_path / "mine.png").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "mine.txt").write_text("mine")
    before = sorted((p, p.read_bytes()) for p in tmp_path.rglob("*") if p.is_file())
    done = segfrontier(*words, folder=tmp_path)
    assert done.returncode == code and message in done.stderr.replace("\n", " "), done.stderr
    assert "Traceback" not in done.stderr
    assert sorted((p, p.read_bytes()) for p in tmp_path.rglob("*") if p.is_file()) == before


def test_one_broken_world_does_not_hide_the_others(tmp_path):
    write_toy(tmp_path / "worlds" / "[b]good")
    (tmp_path / "worlds" / "bad").mkdir()
    (tmp_path / "worlds" / "bad" / "world.json").write_text('{"format": "[/x]"}')
    listed = json.loads(segfrontier("world", "list", "--json", folder=tmp_path).stdout)
    assert [(r["name"], r["classes"]) for r in listed[1:]] == [("toy", "3 classes"), ("bad", "cannot be read")]
    text = segfrontier("world", "list", folder=tmp_path).stdout
    assert "[b]good" in text and "[/x]" in text


def test_inspect_names_what_does_not_decode_and_preview_draws_the_rest(tmp_path):
    with WorldWriter(tmp_path / "toy", name="toy", classes=TOY) as out:
        for number in range(3):
            scene = toy_scene(number)
            out.add(replace(scene, image=scene.image[:60]) if number == 1 else scene)
    done = segfrontier("world", "inspect", "toy", folder=tmp_path)
    assert done.returncode == 0 and "stored, but do not decode: 1" in done.stdout and "train/001" in done.stdout
    done = segfrontier("world", "preview", "toy", "--width", 64, "--out", "new/sheet.jpg", folder=tmp_path)
    assert done.returncode == 0 and (tmp_path / "new" / "sheet.jpg").read_bytes().startswith(b"\xff\xd8")
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["sheet.jpg"]


def test_a_world_without_prices_gets_a_list_to_fill_in(tmp_path):
    for kind in ("images", "labels"):
        (tmp_path / kind).mkdir()
    cv2.imwrite(str(tmp_path / "images/a.png"), np.full((8, 8, 3), 90, np.uint8))
    cv2.imwrite(str(tmp_path / "images/b.png"), np.full((8, 8, 3), 91, np.uint8))
    cv2.imwrite(str(tmp_path / "labels/a.png"), np.zeros((8, 8), np.uint8))
    (tmp_path / "town.yaml").write_text(
        "name: my-town\nencoding: ids\nsplits: {train: {images: 'images/{id}.png', semantic: 'labels/{id}.png'}}\n"
        "classes: [{name: road, colour: [1, 2, 3], ids: [0]}]\n"
    )
    done = segfrontier("world", "import", "town.yaml", "worlds/town", folder=tmp_path)
    assert done.returncode == 0 and "worlds/town-prices.yaml is a list to fill in" in " ".join(done.stdout.split())
    assert "images without labels, left out: 1. To train on them" in " ".join(done.stdout.split())
    file = tmp_path / "worlds/town-prices.yaml"
    listed = read_prices(file)
    assert listed.name == "my-town" and listed.acts["fine"].milliseconds == 5_400_000
    assert all("TO BE MEASURED" in price.source for price in listed.acts.values())
    file.write_text(file.read_text().replace("5400", "600"))
    shutil.rmtree(tmp_path / "worlds/town")
    again = segfrontier("world", "import", "town.yaml", "worlds/town", folder=tmp_path)
    assert again.returncode == 0 and read_prices(file).acts["fine"].milliseconds == 600_000, "what was filled in stays"
