"""Weight files of every usual shape load completely, or the error names the keys."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import timm
import torch
from torch import Tensor

from segfrontier.errors import BadInput
from segfrontier.models.checkpoints import read_state
from segfrontier.models.model import ModelSpec, SegModel, build_model

State = dict[str, Tensor]


def _build(file: Path, encoder: str = "test_resnet", **settings: object) -> SegModel:
    plain = {"encoder": encoder, "head": "deeplab_v2", "num_classes": 5, "pretrained": str(file)}
    return build_model(ModelSpec.from_json(plain | settings), seed=0)


def _whole(encoder: str = "test_resnet", seed: int = 11) -> State:
    torch.manual_seed(seed)
    state: State = timm.create_model(encoder).state_dict()
    return state


def _save(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def _holds(model: SegModel, state: State) -> bool:
    body = model.encoder.body.state_dict()
    return all(torch.equal(value, state[key.removeprefix("model.")]) for key, value in body.items())


def _with_prefix(state: State, prefix: str) -> State:
    return {prefix + key: value for key, value in state.items()}


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: s,
        lambda s: {"epoch": 3, "state_dict": s},
        lambda s: {"model": {"state_dict": s}, "optimizer": {"lr": 0.1}},
        lambda s: _with_prefix(s, "module."),
        lambda s: {"state_dict": _with_prefix(s, "module.backbone.") | {"module.head.weight": torch.zeros(3)}},
        lambda s: {k: v for k, v in s.items() if not k.endswith("num_batches_tracked")},
        lambda s: {k: v for k, v in s.items() if not k.startswith("fc.")},
    ],
    ids=["bare", "state_dict", "nested", "ddp", "backbone", "old", "no classifier"],
)
def test_torch_files_of_every_usual_shape(wrap: Any, tmp_path: Path) -> None:
    state = _whole()
    model = _build(_save(tmp_path / "w.pth", wrap(state)))
    kept = model.encoder.body.state_dict()
    assert all(torch.equal(kept[k], state[k]) for k in kept if not k.endswith("num_batches_tracked"))
    assert model.weights_origin.startswith("file:w.pth#")


@pytest.mark.parametrize("encoder", ["test_vit", "test_convnext", "test_efficientnet", "test_byobnet"])
def test_encoders_of_every_family_load_safetensors(encoder: str, tmp_path: Path) -> None:
    """ConvNeXt's extractor renames its stages; a transformer's holds the model one level down."""
    state = _whole(encoder)
    safetensors.torch.save_file(state, tmp_path / "w.safetensors")
    model = _build(tmp_path / "w.safetensors", encoder)
    flat = {key.replace(".", "_"): value for key, value in state.items()}
    body = model.encoder.body.state_dict()
    assert all(torch.equal(v, flat[k.removeprefix("model.").replace(".", "_")]) for k, v in body.items())


@pytest.mark.parametrize("encoder", ["test_convnext", "test_vit"])
def test_our_own_checkpoint_starts_the_encoder_of_another_head(encoder: str, tmp_path: Path) -> None:
    file = tmp_path / "w.pth"
    first = _build(_save(file, _whole(encoder)), encoder)
    _save(file, {"model": first.state_dict()})
    second = _build(file, encoder, head="fpn")
    for key, value in first.encoder.state_dict().items():
        assert torch.equal(second.encoder.state_dict()[key], value)


def test_a_classifier_of_several_layers_is_left_out_too(tmp_path: Path) -> None:
    """EfficientViT's ends in a batch norm of its own, which no encoder needs."""
    state = _whole("efficientvit_m0")
    assert "head.bn.weight" in state
    model = _build(_save(tmp_path / "w.pth", state), "efficientvit_m0", head="fpn")
    assert model.weights_origin.startswith("file:w.pth#")


def test_weights_are_the_same_at_another_stride_and_heads_do_not_change(tmp_path: Path) -> None:
    file = _save(tmp_path / "w.pth", _whole())
    model = _build(file, output_stride=8)
    assert _holds(model, _whole())
    plain = ModelSpec(encoder="test_resnet", head="deeplab_v2", num_classes=5, pretrained="never")
    drawn = build_model(plain, seed=0)
    assert torch.equal(model.decoders[0].branches[0].weight, drawn.decoders[0].branches[0].weight)


def test_colour_filters_are_summed_for_grey_images(tmp_path: Path) -> None:
    state = _whole()
    model = _build(_save(tmp_path / "w.pth", state), in_channels=1)
    first = next(key for key, value in state.items() if value.ndim == 4)
    torch.testing.assert_close(model.encoder.body.state_dict()[first], state[first].sum(dim=1, keepdim=True))


def test_a_file_of_another_architecture_names_the_keys(tmp_path: Path) -> None:
    file = _save(tmp_path / "w.pth", _whole("test_resnet"))
    with pytest.raises(BadInput, match=r"file:w.pth#\w+ for test_vit must hold exactly.*missing: .*and \d+ more"):
        _build(file, "test_vit")


def test_missing_and_unexpected_keys_are_named(tmp_path: Path) -> None:
    state = _whole()
    lost = next(iter(state))
    fewer = {key: value for key, value in state.items() if key != lost}
    with pytest.raises(BadInput, match=f"missing: {lost}; unexpected: none"):
        _build(_save(tmp_path / "w.pth", fewer))
    with pytest.raises(BadInput, match="missing: none; unexpected: layer9.weight"):
        _build(_save(tmp_path / "w.pth", state | {"layer9.weight": torch.zeros(2)}))


def test_wrong_shapes_are_named(tmp_path: Path) -> None:
    state = _whole()
    norms = [key for key in state if key.endswith(("bn1.weight", "bn2.weight"))]
    assert len(norms) == 9
    wrong = {key: torch.zeros(7) for key in norms}
    with pytest.raises(BadInput, match=f"must fit the encoder; it does not: size mismatch for {norms[0]}.* and 6 more"):
        _build(_save(tmp_path / "w.pth", state | wrong))


def test_two_copies_of_the_encoder_in_one_file_are_refused(tmp_path: Path) -> None:
    state = _whole()
    both = _with_prefix(state, "student.") | _with_prefix(state, "teacher.")
    with pytest.raises(BadInput, match="more than once, under 'student.', 'teacher.'"):
        _build(_save(tmp_path / "w.pth", both))


class _Payload:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return eval, ("1/0",)


def test_nothing_in_a_file_is_executed(tmp_path: Path) -> None:
    file = tmp_path / "w.pth"
    file.write_bytes(pickle.dumps({"weights": _Payload()}))
    with pytest.raises(BadInput, match="plain tensors"):
        read_state(file)


@pytest.mark.parametrize(
    ("content", "words"),
    [([torch.zeros(2)], "found a list"), ({"lr": 0.1}, "found keys: lr"), ({}, "found keys: nothing")],
)
def test_a_file_without_a_state_dict_says_what_it_holds(content: object, words: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=words):
        read_state(_save(tmp_path / "w.pth", content))


def test_a_broken_safetensors_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"not tensors")
    with pytest.raises(BadInput, match="could not be read"):
        read_state(tmp_path / "w.safetensors")
