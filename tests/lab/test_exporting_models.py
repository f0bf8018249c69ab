"""A model leaves as one file, and only if the file answers as the model does."""

import json
import math
import subprocess
import sys

import numpy as np
import pytest
import torch

from segfrontier.errors import BadInput, SegFrontierError
from segfrontier.lab.leaving import exporting
from segfrontier.lab.leaving.exporting import SAME, TOLERANCE, Logits, Parity, compare, export_network
from segfrontier.models.model import ModelSpec, build_model

CARD = {"format": "segfrontier-model 1", "predicts": "segmenter", "classes": {"name": "toy"}}
SPEC = ModelSpec(encoder="test_resnet", pretrained="never", head="deeplab_v3plus", num_classes=3, aux=True, decoders=2)
IMAGES = [torch.rand(n, 3, h, w, generator=torch.Generator().manual_seed(h)) for n, h, w in ((1, 33, 50), (3, 71, 40))]


@pytest.fixture(scope="module")
def network():
    return build_model(SPEC, seed=1).eval()


@pytest.mark.slow
def test_a_file_for_torch_loads_without_segfrontier_and_answers_the_same(network, tmp_path):
    file = tmp_path / "new" / "model.pt2"
    parity = export_network(network, CARD, file, to="torch")
    assert parity.holds and parity.same == 1.0 and parity.largest > 0 and "same class at 100" in str(parity)
    assert sorted(p.name for p in file.parent.iterdir()) == ["model.pt2", "model.pt2.json"]
    assert json.loads((tmp_path / "new" / "model.pt2.json").read_text()) == CARD
    torch.save(IMAGES, tmp_path / "images.pt")
    code = """import sys, torch
held = {"model.json": ""}
run = torch.export.load(sys.argv[1], extra_files=held).module()
torch.save([run(image) for image in torch.load(sys.argv[2])], sys.argv[3])
print(held["model.json"], "segfrontier" in sys.modules, "timm" in sys.modules, sep="|")"""
    words = [sys.executable, "-W", "ignore", "-c", code, file, tmp_path / "images.pt", tmp_path / "logits.pt"]
    told, *imported = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip().split("|")
    assert json.loads(told) == CARD and imported == ["False", "False"]
    with torch.no_grad():
        for image, logits in zip(IMAGES, torch.load(tmp_path / "logits.pt"), strict=True):
            want = network(image).mean_logits
            torch.testing.assert_close(logits, want, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
def test_a_file_for_onnx_answers_the_same(network, tmp_path):
    import onnxruntime

    file = tmp_path / "model.onnx"
    parity = export_network(network, CARD, file, to="onnx")
    assert parity.holds and parity.same > 0.999 and "same class at" in str(parity)
    run = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    (asked,) = run.get_inputs()
    with torch.no_grad():
        for image in IMAGES:
            (logits,) = run.run(None, {asked.name: image.numpy()})
            torch.testing.assert_close(torch.from_numpy(logits), network(image).mean_logits, atol=1e-4, rtol=1e-4)


def test_onnx_says_what_it_needs(network, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting, "find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(BadInput, match=r"onnxscript cannot be imported.*segfrontier\[export\]"):
        export_network(network, CARD, tmp_path / "model.onnx", to="onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("parity", "holds"),
    [
        (Parity(4, TOLERANCE, 1.0, SAME), True),
        (Parity(4, TOLERANCE, 0.1, SAME), True),
        (Parity(4, TOLERANCE * 8, 8.0, SAME), True),
        (Parity(4, math.nextafter(TOLERANCE, 1), 1.0, 1.0), False),
        (Parity(4, 0.0, 1.0, math.nextafter(SAME, 0)), False),
        (Parity(4, float("nan"), 1.0, 1.0), False),
    ],
)
def test_what_is_allowed_is_allowed_and_no_more(parity, holds):
    assert parity.holds is holds


def test_all_images_count_and_a_nan_is_not_lost(network):
    plain, seen = Logits(network), []

    def odd(images):
        seen.append(images.shape)
        logits = plain(images)
        return logits * float("nan") if len(seen) == 2 else logits + (0.5 if len(seen) == 4 else 0)

    with torch.no_grad():
        parity = compare(plain, odd)
    assert len(seen) == 4 and np.isnan(parity.difference) and not parity.holds


def test_a_file_that_answers_otherwise_is_not_kept(network, tmp_path, monkeypatch):
    def wrong(net, card, draft):
        draft.write_bytes(b"some network")
        return lambda images: net(images).flip(1)

    monkeypatch.setattr(exporting, "_WRITERS", {"torch": wrong})
    with pytest.raises(SegFrontierError, match="must answer as the stored one"):
        export_network(network, CARD, tmp_path / "model.pt2", to="torch")
    assert not list(tmp_path.iterdir())


def test_a_network_that_cannot_be_traced_says_so(tmp_path):
    class Asks(torch.nn.Module):
        def forward(self, images):
            return self if images.sum() > 0 else None

    with pytest.raises(SegFrontierError, match="torch can express for images of any size; segmenter is not"):
        export_network(Asks(), CARD, tmp_path / "model.pt2", to="torch")
    assert not list(tmp_path.iterdir())


def test_a_graph_that_refuses_a_size_is_not_kept(network, tmp_path, monkeypatch):
    def narrow(net, card, draft):
        draft.write_bytes(b"some network")

        def run(images):
            if images.shape[2] % 2:
                raise AssertionError("Guard failed: height must be even")
            return net(images)

        return run

    monkeypatch.setattr(exporting, "_WRITERS", {"torch": narrow})
    with pytest.raises(SegFrontierError, match="images of any size; segmenter is not .AssertionError: Guard failed"):
        export_network(network, CARD, tmp_path / "model.pt2", to="torch")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "message"), [("model.onnx", "must end in .pt2 or .pt"), ("there.pt2", "is there")])
def test_what_could_not_be_written_is_refused_first(network, tmp_path, name, message):
    (tmp_path / "there.pt2").write_bytes(b"mine")
    with pytest.raises(BadInput, match=message):
        export_network(network, CARD, tmp_path / name, to="torch")
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"mine"]
