"""A folder of images in, masks out: whole, resumable, never two models' in one folder."""

import json
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest
import torch

from segfrontier.errors import BadInput, SegFrontierError
from segfrontier.lab import Bench
from segfrontier.lab.leaving.folder import fingerprint, predict_folder
from segfrontier.scenes.classes import CAMVID

SIZES = {"a.png": (20, 33), "in/b.JPG": (17, 8), "in/deep/c.jpeg": (1, 1)}


@dataclass
class Threshold:
    """Class 1 where an image's red is above 127."""

    bias: float = 0.0
    looking: str = "whole"
    classes, device = CAMVID, torch.device("cpu")
    seen: list = field(default_factory=list)
    foreseen: list = field(default_factory=list)

    @property
    def module(self):
        linear = torch.nn.Linear(1, 1)
        torch.nn.init.constant_(linear.weight, 1.0)
        torch.nn.init.constant_(linear.bias, self.bias)
        return linear

    def foresee(self, images):
        self.foreseen.append([image.shape for image in images])

    def predict(self, image):
        self.seen.append(image.shape)
        return (image[..., 0] > 127).astype(np.uint8)


def image_of(height, width):
    image = np.zeros((height, width, 3), np.uint8)
    image[: (height + 1) // 2, :, 2] = 255  # OpenCV writes BGR: red above
    return image


@pytest.fixture
def images(tmp_path):
    for name, size in SIZES.items():
        (tmp_path / "images" / name).parent.mkdir(parents=True, exist_ok=True)
        assert cv2.imwrite(str(tmp_path / "images" / name), image_of(*size))
    (tmp_path / "images" / "notes.txt").write_text("no image")
    (tmp_path / "images" / ".hidden.png").write_bytes(b"no image")
    return tmp_path / "images"


def test_a_bench_says_how_many_are_looked_at_together(images, tmp_path):
    (images / "b.png").write_bytes(b"no image")
    model = Threshold()
    done = predict_folder(model, images, tmp_path / "two", bench=Bench(look_batch=2))
    assert done.written == 3 and len(done.skipped) == 1
    assert model.foreseen == [[(20, 33, 3)], [(17, 8, 3), (1, 1, 3)]] and model.seen == [
        *model.foreseen[0],
        *model.foreseen[1],
    ]
    alone = Threshold()
    predict_folder(alone, images, tmp_path / "one")
    assert alone.foreseen == [], "one by one on a CPU"
    for file in (tmp_path / "one" / "ids").rglob("*.png"):
        assert file.read_bytes() == (tmp_path / "two" / file.relative_to(tmp_path / "one")).read_bytes()


def test_each_image_gets_a_mask_of_its_size_and_a_coloured_one(images, tmp_path):
    steps = []
    out = tmp_path / "new" / "masks"
    done = predict_folder(Threshold(), images, out, step=lambda *at: steps.append(at))
    assert (done.written, done.kept, done.skipped) == (3, 0, ()) and steps == [(0, 3), (1, 3), (2, 3), (3, 3)]
    written = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    masks = ["a.png", "in/b.png", "in/deep/c.png"]
    assert written == {f"{d}/{m}" for d in ("ids", "colour") for m in masks} | {"classes.json", "predictions.json"}
    for mask, (height, width) in zip(masks, SIZES.values(), strict=True):
        ids = cv2.imread(str(out / "ids" / mask), cv2.IMREAD_UNCHANGED)
        want = np.zeros((height, width), np.uint8)
        want[: (height + 1) // 2] = 1
        assert ids.dtype == np.uint8 and (ids == want).all()
        colour = cv2.imread(str(out / "colour" / mask))[..., ::-1]
        assert (colour == CAMVID.palette[want]).all()
    assert json.loads((out / "classes.json").read_text())["classes"][1]["name"] == "building"


def test_a_run_that_was_stopped_goes_on_with_what_is_missing(images, tmp_path):
    out = tmp_path / "masks"

    def stop(done, total):
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_folder(Threshold(), images, out, step=stop)
    (out / "colour" / "a.png").unlink()
    again = Threshold()
    done = predict_folder(again, images, out)
    assert (done.written, done.kept) == (2, 1) and again.seen == [(20, 33, 3), (1, 1, 3)]


@pytest.mark.parametrize("other", [Threshold(bias=1.0), Threshold(looking="half")])
def test_another_models_masks_are_replaced_only_when_asked(images, tmp_path, other):
    out = tmp_path / "masks"
    predict_folder(Threshold(), images, out)
    before = (out / "predictions.json").read_bytes()
    with pytest.raises(BadInput, match="same model.*--overwrite"):
        predict_folder(other, images, out)
    assert not other.seen and (out / "predictions.json").read_bytes() == before
    (images / "a.png").unlink()
    assert predict_folder(other, images, out, overwrite=True).written == 2
    assert not (out / "ids" / "a.png").exists(), "a mask of the other model would pass for one of this"
    assert predict_folder(other, images, out).kept == 2


def test_a_model_is_the_same_wherever_it_was_loaded_from():
    assert fingerprint(Threshold()) == fingerprint(Threshold())
    assert len({fingerprint(m) for m in (Threshold(), Threshold(bias=1.0), Threshold(looking="half"))}) == 3


def test_images_that_do_not_decode_are_skipped_and_named(images, tmp_path):
    whole = (images / "a.png").read_bytes()
    (images / "cut.png").write_bytes(whole[: len(whole) // 2])
    (images / "huge.png").write_bytes(whole[:16] + (2**20).to_bytes(4, "big") * 2 + whole[24:])
    done = predict_folder(Threshold(), images, tmp_path / "masks")
    assert done.written == 3 and [line.partition(":")[0] for line in done.skipped] == ["cut.png", "huge.png"]
    for name in SIZES:
        (images / name).unlink()
    with pytest.raises(SegFrontierError, match="none of 2 does. The first: cut.png") as refused:
        predict_folder(Threshold(), images, tmp_path / "others")
    assert not isinstance(refused.value, BadInput)


@pytest.mark.parametrize("out", ["images", "images/masks", "."])
def test_masks_never_become_images(images, tmp_path, out):
    with pytest.raises(BadInput, match="must lie apart"):
        predict_folder(Threshold(), images, tmp_path / out)


def test_a_folder_of_somebody_elses_is_left_alone(images, tmp_path):
    (tmp_path / "mine" / "ids").mkdir(parents=True)
    for overwrite in (False, True):
        with pytest.raises(BadInput, match="holds other files"):
            predict_folder(Threshold(), images, tmp_path / "mine", overwrite=overwrite)
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadInput, match="is a file"):
        predict_folder(Threshold(), images, tmp_path / "file")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["ids"]


def test_what_is_no_folder_of_images_is_refused_before_anything_is_written(images, tmp_path):
    out = tmp_path / "masks"
    for wrong, message in ((tmp_path / "nowhere", "must be a folder"), (images / "in" / "deep" / "x", "must be")):
        with pytest.raises(BadInput, match=message):
            predict_folder(Threshold(), wrong, out)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="holds none"):
        predict_folder(Threshold(), tmp_path / "empty", out)
    (images / "a.jpg").write_bytes(b"")
    with pytest.raises(BadInput, match=r"a.jpg and a.png"):
        predict_folder(Threshold(), images, out)
    (images / "a.png").unlink()
    (images / "a.png").mkdir()
    (images / "in" / "b.JPG").rename(images / "a.png" / "x.png")
    with pytest.raises(BadInput, match="takes the folder"):
        predict_folder(Threshold(), images, out)
    assert not out.exists()
