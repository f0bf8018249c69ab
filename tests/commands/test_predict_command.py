"""predict and export as a user types them."""

import json
import shutil

import cv2
import numpy as np
import pytest
from terminal import segfrontier
from toylab import fine_part, toy_lab
from toyworld import write_toy

from segfrontier.lab import Recipe
from segfrontier.lab.leaving.loading import load_model
from segfrontier.scenes.world import World
from segfrontier_methods.supervised.objective import CrossEntropy

RECIPE = Recipe(encoder="test_resnet", pretrained="never", steps=1, batch=2, scale=(1.0, 1.0))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A folder with a model of one training, and images."""
    folder = tmp_path_factory.mktemp("made")
    write_toy(folder / "toy")
    world = World.open(folder / "toy")
    with toy_lab(folder / "home", world) as lab:
        stream = RECIPE.stream(fine_part(world, folder / "labels"))
        model = lab.train(CrossEntropy(network=RECIPE.network(3)), {"labelled": stream}, RECIPE.plan())
    shutil.copytree(model.file().parent, folder / "model")
    rng = np.random.default_rng(0)
    (folder / "images" / "in").mkdir(parents=True)
    for name, size in {"a.png": (40, 31), "in/b.jpg": (17, 50)}.items():
        cv2.imwrite(str(folder / "images" / name), rng.integers(0, 255, (*size, 3)).astype(np.uint8))
    return folder


def test_a_folder_is_predicted_and_kept_and_what_does_not_decode_is_named(made, tmp_path):
    shutil.copytree(made / "images", tmp_path / "images")
    (tmp_path / "images" / "bad.png").write_bytes(b"no image")
    words = ("predict", made / "model", "images", "--out", "masks", "--device", "cpu")
    done = segfrontier(*words, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 masks written, 0 were there" in done.stdout
    assert "skipped 1 images" in done.stderr and "bad.png" in done.stderr
    ids = cv2.imread(str(tmp_path / "masks" / "ids" / "a.png"), cv2.IMREAD_UNCHANGED)
    image = cv2.imread(str(tmp_path / "images" / "a.png"))[..., ::-1]
    assert (ids == load_model(made / "model", device="cpu").predict(np.ascontiguousarray(image))).all()
    again = json.loads(segfrontier(*words, "--json", folder=tmp_path).stdout)
    assert (again["written"], again["kept"], len(again["skipped"])) == (0, 2, 1)


@pytest.mark.ray
@pytest.mark.slow
def test_processes_side_by_side_write_the_same_masks(made, tmp_path, ray_here):
    """From a model's place that is not absolute; an image that does not decode is skipped there, too."""
    shutil.copytree(made / "images", tmp_path / "images")
    (tmp_path / "images" / "bad.png").write_bytes(b"no image")
    shutil.copytree(made / "model", tmp_path / "model")
    words = ("predict", "model", "images", "--device", "cpu", "--json")
    here = json.loads(segfrontier(*words, "--out", "here", folder=tmp_path).stdout)
    there = segfrontier(*words, "--out", "there", "--workers", 2, folder=tmp_path)
    assert there.returncode == 0, there.stderr
    assert json.loads(there.stdout) == here and here["written"] == 2 and "bad.png" in here["skipped"][0]
    files = sorted(p.relative_to(tmp_path / "here") for p in (tmp_path / "here").rglob("*") if p.is_file())
    assert len(files) == 6
    for file in files:
        assert (tmp_path / "here" / file).read_bytes() == (tmp_path / "there" / file).read_bytes(), file


@pytest.mark.slow
def test_an_export_prints_how_alike_it_answers(made, tmp_path):
    done = segfrontier("export", made / "model", "--to", "torch", "--out", "model.pt2", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "same class at 100" in done.stdout and "allowed 0.001" in done.stdout
    card = json.loads((tmp_path / "model.pt2.json").read_text())
    assert card["predicts"] == "segmenter" and card["looking"]["views"] == [{"scale": 1.0, "flip": False}]
    image = np.random.default_rng(1).integers(0, 255, (45, 38, 3)).astype(np.uint8)
    ours, theirs = (load_model(source, device="cpu") for source in (made / "model", tmp_path / "model.pt2"))
    np.testing.assert_allclose(theirs.probabilities(image), ours.probabilities(image), atol=1e-5)
    assert theirs.classes == ours.classes and theirs.looking == ours.looking
    again = segfrontier("export", "model.pt2", "--to", "torch", "--out", "again.pt2", folder=tmp_path)
    assert again.returncode == 3 and "exported already" in again.stderr


@pytest.mark.parametrize(
    ("words", "code", "found"),
    [
        (("predict", "nowhere", "images", "--out", "masks"), 3, "HOME:KEY"),
        (("predict", "model", "nowhere", "--out", "masks"), 3, "images must be a folder"),
        (("predict", "model", "images", "--out", "images/masks"), 3, "must lie apart"),
        (("predict", "model", "bad", "--out", "masks"), 1, "none of 1 does"),
        (("predict", "model", "images"), 2, "--out"),
        (("predict", "model", "images", "--out", "masks", "--device", "gpu"), 3, "a device must be auto, cpu"),
        (("predict", "bad.pt2", "images", "--out", "masks"), 3, "`segfrontier export --to torch` wrote"),
        (("export", "nowhere", "--to", "torch", "--out", "model.pt2"), 3, "HOME:KEY"),
        (("export", "model", "--to", "torch", "--out", "model.onnx"), 3, "must end in"),
        (("export", "model", "--to", "tf", "--out", "model.pt2"), 2, "--to"),
    ],
)
def test_wrong_input_is_explained(made, tmp_path, words, code, found):
    (tmp_path / "model").symlink_to(made / "model")
    (tmp_path / "images").mkdir()
    shutil.copy(made / "images" / "a.png", tmp_path / "images")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad.pt2").write_bytes(b"no model")
    (tmp_path / "bad" / "x.png").write_bytes(b"x")
    done = segfrontier(*words, folder=tmp_path)
    assert done.returncode == code and found in done.stderr, done.stderr
    assert not (tmp_path / "masks" / "ids").exists() and not (tmp_path / "model.pt2").exists()
