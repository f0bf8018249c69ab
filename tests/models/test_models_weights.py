"""Where weights come from: hub, cache, file, nowhere; and never a wait without end."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import huggingface_hub
import pytest
import safetensors.torch
import timm
import torch
from huggingface_hub.errors import EntryNotFoundError
from spechere import small_spec

from segfrontier.errors import BadInput
from segfrontier.models import weights
from segfrontier.models.model import ModelSpec, build_model
from segfrontier.models.weights import RandomWeights, Weights, find_weights

_spec = partial(small_spec, encoder="test_resnet.r160_in1k", pretrained="auto")


def found(spec: ModelSpec) -> Weights:
    return find_weights(spec.encoder, spec.pretrained)


class _Hub:
    """Stands for the hub's client: what is cached, what can be fetched, who answers."""

    def __init__(self) -> None:
        self.cached: dict[str, Path] = {}
        self.online: dict[str, Path] = {}
        self.answers = False
        self.patience = 0.0
        self.asked = 0

    def try_to_load_from_cache(self, repo: str, name: str, revision: str | None = None) -> str | None:
        return str(self.cached[name]) if name in self.cached else None

    def hf_hub_download(self, repo: str, name: str, **_: object) -> str:
        if name not in self.online:
            raise EntryNotFoundError(f"{repo} has no {name}")
        return str(self.online[name])

    def get_session(self) -> _Hub:
        return self

    def head(self, url: str, timeout: float) -> None:
        self.asked += 1
        time.sleep(self.patience)
        if not self.answers:
            raise ConnectionError("no route")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[_Hub]:
    fake = _Hub()
    for name in ("try_to_load_from_cache", "hf_hub_download", "get_session"):
        monkeypatch.setattr(huggingface_hub, name, getattr(fake, name))
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "torch_hub"))
    weights._answers.cache_clear()
    yield fake
    weights._answers.cache_clear()


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A file as timm publishes it: the whole model, classifier included."""
    torch.manual_seed(11)
    path = tmp_path / "model.safetensors"
    safetensors.torch.save_file(timm.create_model("test_resnet").state_dict(), path)
    return path


def _holds(model: torch.nn.Module, published: Path) -> bool:
    state = safetensors.torch.load_file(published)
    body = model.encoder.body.state_dict()
    return all(torch.equal(value, state[key]) for key, value in body.items())


def test_without_a_network_the_weights_are_random_and_it_is_said(hub: _Hub) -> None:
    with pytest.warns(RandomWeights, match=r"RANDOM weights: ConnectionError: they are not in the local cache") as seen:
        model = build_model(_spec(), seed=0)
    assert model.weights_origin == model.facets()["weights"] == "random"
    assert Path(seen[0].filename).name == "test_models_weights.py"  # the warning points at the caller


def test_random_weights_that_were_asked_for_are_no_warning(hub: _Hub) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert build_model(_spec(pretrained="never"), seed=0).weights_origin == "random"


def test_a_site_that_hangs_is_given_up_and_asked_once(hub: _Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.patience = 1.0
    monkeypatch.setattr(weights, "_PATIENCE", 0.02)
    start = time.monotonic()
    for _ in range(5):
        with pytest.warns(RandomWeights, match="does not answer"):
            found(_spec())
    assert time.monotonic() - start < 0.9
    assert hub.asked == 1


def test_the_cache_serves_without_a_network(hub: _Hub, published: Path) -> None:
    hub.cached["model.safetensors"] = published
    model = _spec().build(seed=0)
    assert model.weights_origin == _spec().origin() == "timm:test_resnet.r160_in1k"
    assert _holds(model, published)


def test_the_hub_serves_when_it_answers(hub: _Hub, published: Path) -> None:
    hub.answers = True
    hub.online["model.safetensors"] = published
    assert found(_spec(encoder="test_resnet")).origin == "timm:test_resnet.r160_in1k"
    hub.online = {"pytorch_model.bin": published}
    assert found(_spec(encoder="test_resnet")).file == published
    hub.online = {}
    with pytest.warns(RandomWeights, match="has none of model.safetensors, pytorch_model.bin"):
        assert found(_spec(encoder="test_resnet")).file is None


def test_weights_outside_the_hub_are_found_in_the_cache(hub: _Hub, tmp_path: Path) -> None:
    with pytest.warns(RandomWeights, match="github.com does not answer"):
        found(_spec(encoder="legacy_xception"))
    cached = tmp_path / "torch_hub" / "checkpoints" / "xception-43020ad28.pth"
    cached.parent.mkdir(parents=True)
    cached.touch()
    assert found(_spec(encoder="legacy_xception")).file == cached


def test_a_model_without_published_weights_says_so(hub: _Hub) -> None:
    with pytest.warns(RandomWeights, match="timm publishes none"):
        found(_spec(encoder="test_vit_relpos"))


def test_a_file_is_known_by_its_content(published: Path, tmp_path: Path) -> None:
    origin = found(_spec(pretrained=str(published))).origin
    assert origin.startswith("file:model.safetensors#")
    assert len(origin.partition("#")[2]) == 16
    copy = tmp_path / "other" / "model.safetensors"
    copy.parent.mkdir()
    copy.write_bytes(published.read_bytes())
    assert found(_spec(pretrained=str(copy))).origin == origin
    copy.write_bytes(published.read_bytes()[:-1] + b"x")
    assert found(_spec(pretrained=str(copy))).origin != origin


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="must be 'auto', 'never' or a file; .*nowhere.pth' is no file"):
        build_model(_spec(pretrained=str(tmp_path / "nowhere.pth")), seed=0)
