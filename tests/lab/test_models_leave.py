"""A trained model on its way out: what lies beside its weights, and loading it again in one line."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from toylab import Plain, TinyNet, fine_part, toy_lab
from toystudy import toy_study

import segfrontier
from segfrontier.errors import BadInput
from segfrontier.home.layout import Home
from segfrontier.home.records import Record
from segfrontier.lab import Looking, Plan, Recipe, Stream
from segfrontier.lab.card import CARD, Card
from segfrontier.lab.leaving.loading import load_model
from segfrontier.lab.passes.inference import Predictor
from segfrontier.maths import View
from segfrontier.models.blueprints import KINDS, described, rebuilt
from segfrontier.models.classifier import ClassifierSpec
from segfrontier.models.detector import DetectorSpec
from segfrontier.models.discriminator import ImageDiscriminatorSpec, PatchDiscriminatorSpec
from segfrontier.models.model import ModelSpec
from segfrontier.study.run import run_study
from segfrontier_methods.supervised.objective import CrossEntropy

RECIPE = Recipe(encoder="test_resnet", pretrained="never", steps=2, batch=2, scale=(1.0, 1.0))
IMAGE = np.random.default_rng(0).integers(0, 255, (30, 41, 3)).astype(np.uint8)
SPECS = [
    ModelSpec(
        encoder="test_resnet", head="deeplab_v2", head_knobs={"branches": 2}, num_classes=3, aux=True, decoders=2
    ),
    ClassifierSpec(encoder="test_resnet", num_classes=4, dropout=0.5),
    DetectorSpec(encoder="test_resnet", things=(1, 4), width=16, anchor=2.0),
    PatchDiscriminatorSpec(channels=3, width=8),
    ImageDiscriminatorSpec(channels=6, width=8, dropouts=1),
]


def trained(lab, world, folder):
    stream = RECIPE.stream(fine_part(world, folder))
    return lab.train(CrossEntropy(network=RECIPE.network(3)), {"labelled": stream}, RECIPE.plan())


@pytest.fixture
def model(toy_world, tmp_path):
    with toy_lab(tmp_path / "home", toy_world) as lab:
        return trained(lab, toy_world, tmp_path / "labels")


def test_the_specs_of_all_networks_come_back_as_they_were():
    assert {type(spec) for spec in SPECS} == set(KINDS.values())
    for spec in SPECS:
        kind, settings = described(spec)
        assert rebuilt(kind, json.loads(json.dumps(settings))) == spec


@dataclass(frozen=True)
class Own:
    """A method's own network."""

    width: int = 3

    def build(self, *, seed):
        return TinyNet(3, self.width, False)

    def origin(self):
        return "random"


def test_a_methods_own_network_is_built_from_installed_packages_alone():
    kind, settings = described(Own(width=5))
    assert (kind, settings) == (f"{__name__}:Own", {"width": 5})
    assert rebuilt(kind, settings, packages={__name__.partition(".")[0]}) == Own(width=5)
    for foreign in ("os:getcwd", "subprocess:Popen", kind):
        with pytest.raises(BadInput, match="belongs to none of segfrontier_methods"):
            rebuilt(foreign, {}, packages={"segfrontier_methods"})
    for wrong, message in (
        ("segmantation", "did you mean 'segmentation'"),
        ("segfrontier.cli:main", "must be a class"),
    ):
        with pytest.raises(BadInput, match=message):
            rebuilt(wrong, {}, packages={"segfrontier"})
    with pytest.raises(BadInput, match="width: must be a valid integer"):
        rebuilt(kind, {"width": "wide"}, packages={__name__})


def test_the_same_training_stores_the_same_card_without_times_and_paths(toy_world, tmp_path):
    cards = []
    for name in ("a", "b"):
        with toy_lab(tmp_path / name, toy_world) as lab:
            cards.append(trained(lab, toy_world, tmp_path / f"labels-{name}").file().with_name(CARD).read_bytes())
    assert cards[0] == cards[1] and str(tmp_path).encode() not in cards[0]
    card = json.loads(cards[0])
    assert card["predicts"] == "segmenter" and card["classes"]["name"] == "toy"
    assert card["trained"]["world"] == "toy" and card["trained"]["steps"] == 2
    (part,) = card["trained"]["streams"]["labelled"]
    assert part["scenes"] == 6 and part["labels"][""]["kind"] == "fine" and part["labels"][""]["scenes"] == 6


def test_a_model_is_loaded_from_its_folder_and_answers_as_the_lab_sees_it(model, tmp_path):
    loaded = segfrontier.load_model(model.file().parent, device="cpu")
    predictor = Predictor(model, device=torch.device("cpu"))
    seen = predictor.look(IMAGE)
    np.testing.assert_array_equal(loaded.predict(IMAGE), seen.confidence()[1][0].numpy())
    np.testing.assert_array_equal(loaded.probabilities(IMAGE), seen.scores_NKHW.softmax(1)[0].numpy())
    assert loaded.classes == model.classes and loaded.predict(IMAGE).shape == (30, 41)
    shutil.copytree(model.file().parent, tmp_path / "taken along")
    assert (load_model(tmp_path / "taken along").predict(IMAGE) == loaded.predict(IMAGE)).all()
    assert (load_model(f"{tmp_path / 'home'}:{model.key[:8]}").predict(IMAGE) == loaded.predict(IMAGE)).all()


@pytest.mark.parametrize("image", [IMAGE[..., 0], IMAGE[..., :2], IMAGE.astype(np.float32), IMAGE[:0]])
def test_what_is_no_image_is_refused(model, image):
    with pytest.raises(BadInput, match="an image must be .H, W, 3. RGB of uint8"):
        load_model(model.file().parent).predict(image)


def test_the_record_of_a_cell_names_its_model_and_how_it_is_looked_at(tmp_path, monkeypatch):
    half = Looking(views=(View(), View(flip=True)), resize=(12, 16))
    from segfrontier_methods.supervised.method import FineOnly

    run = FineOnly.run
    monkeypatch.setattr(FineOnly, "run", lambda self, lab, recipe: run(self, lab, recipe).looked(half))
    home = tmp_path / "runs"
    run_study(toy_study(tmp_path, methods=["fine"], budgets=[0.1], seeds=[0]), home=home, tracking="none")
    (key,) = Home(home).study("toy").cell_keys()
    record = Record.read(Home(home).cell(key))
    assert record.model.stage in {s.key for s in record.stages if s.kind == "train"}
    for source in (home / "cells" / key, f"{home}:{key}", f"{home}:{key[:10]}"):
        loaded = load_model(source)
        assert loaded.looking == half and loaded.identity == f"{record.model.stage}:weights.pt:segmenter"
    old = {k: v for k, v in json.loads((home / "cells" / key / "record.json").read_text()).items() if k != "model"}
    (home / "cells" / key / "record.json").write_text(json.dumps(old))
    with pytest.raises(BadInput, match="must name its model; it is done, and names none"):
        load_model(f"{home}:{key}")


def test_a_teacher_is_taken_by_name(toy_world, tmp_path):
    with toy_lab(tmp_path / "home", toy_world) as lab:
        stream = Stream(parts=(fine_part(toy_world, tmp_path / "labels"),), batch=2)
        made = lab.train(Plain(), {"labelled": stream}, Plan(steps=3)).teacher()
    assert Card.read(made.file().with_name(CARD)).networks["segmenter"].kind == "toylab:Tiny"
    with pytest.raises(BadInput, match="'toylab:Tiny' belongs to none of"):
        load_model(made.file().parent)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "holds neither"), (".", "holds neither"), ("nowhere", "named by a folder, or by HOME:KEY"),
        ("nowhere:abc", "HOME:KEY"), (".:zz", "nothing has it"), (".:*", "HOME:KEY"),
    ],
)  # fmt: skip
def test_what_names_no_model_says_what_was_looked_for(tmp_path, monkeypatch, source, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=message):
        load_model(source)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "segfrontier-model 9"}, "format: must be 'segfrontier-model 1'"),
        ({"predicts": "critic"}, "predicts must be one of segmenter"),
        ({"networks": {}}, "networks: "),
        ({"networks": {"segmenter": {"kind": "segmentation", "settings": {"encoder": "test_resnet"}}}}, "num_classes"),
        ({"looking": {"views": [], "resize": None, "window": None, "stride": None}}, "looking.views"),
        ({"classes": {"name": "x"}}, "must hold a class table"),
        ({"more": 1}, "more: there is no such key"),
        (None, "model"),
    ],
)
def test_a_damaged_card_is_explained(model, tmp_path, change, message):
    folder = shutil.copytree(model.file().parent, tmp_path / "copy")
    plain = json.loads((folder / CARD).read_text())
    (folder / CARD).write_text("{" if change is None else json.dumps(plain | change))
    with pytest.raises(BadInput, match=message):
        load_model(folder)


def test_a_training_of_an_earlier_version_says_what_to_do(model, tmp_path):
    folder = shutil.copytree(model.file().parent, tmp_path / "copy")
    (folder / CARD).unlink()
    with pytest.raises(BadInput, match=r"must hold model.json.*store gc"):
        load_model(folder)


def test_importing_the_package_stays_cheap():
    seen = "print('torch' in sys.modules)"
    code = f"import segfrontier, sys; {seen}; segfrontier.load_model; {seen}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
    with pytest.raises(AttributeError, match="load_modle"):
        segfrontier.load_modle  # noqa: B018
