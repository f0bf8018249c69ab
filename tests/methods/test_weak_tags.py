"""How the classifier learns from tags of fixed crops, and the seeds of stuff that it gives."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from instancehere import mean_of_shares, moment
from taghere import CAR, LEARNER, SIZE, SPEC, TILING, boxed, picture, predictors, shown, tagged
from toylab import toy_lab
from toyworld import TOY, toy_scene, write_toy

from segfrontier.errors import BadInput
from segfrontier.lab import PAPER_002, Boxes, Moment, Part, Plan, Recipe, SceneLabels, Tags
from segfrontier.lab.objective import Nets
from segfrontier.maths import grad_cam
from segfrontier.scenes.world import World
from segfrontier.scenes.writer import WorldWriter
from segfrontier_methods.weak_panoptic.tags import (
    CLASSIFIER,
    LearnTags,
    StuffSeeds,
    classifier_network,
    tag_stream,
    tile_tags,
    zoomed,
)

TILES = TILING.crops(*SIZE)
NOTHING = SceneLabels(size=SIZE)


@pytest.fixture(scope="module")
def net():
    """Weights of both signs, so that every class has evidence somewhere."""
    net = SPEC.build(seed=0).eval()
    torch.nn.init.normal_(net.classify.weight, generator=torch.Generator().manual_seed(0))
    return net


def objective(**changes):
    return LearnTags(**({"classifier": LEARNER, "things": (CAR,), "tiling": TILING} | changes))


def loss_of(net, batch, at, **changes):
    (loss,) = objective(**changes).step(Nets({CLASSIFIER: net}, {CLASSIFIER: net}, {}), {"tags": batch}, at)
    return loss.value


class Watched(torch.nn.Module):
    """A classifier that keeps what it was shown."""

    def __init__(self, net):
        super().__init__()
        self.net, self.seen = net, []

    def forward(self, images):
        self.seen.append(images)
        return self.net(images)


# ------------------------------------------------------------------------------------------------- the objective


def test_the_tiling_is_the_papers():
    crops = PAPER_002.crops(1024, 2048)
    assert sorted(set(crops[:, 0].tolist())) == [0, 387, 774, 1161, 1548]
    assert sorted(set(crops[:, 1].tolist())) == [0, 312, 624]
    assert set(map(tuple, (crops[:, 2:] - crops[:, :2]).tolist())) == {(500, 400)} and len(crops) == 15


@pytest.mark.parametrize(("by", "cars"), [("boxes", [1, 0, 0, 0]), ("tags", [0, 0, 0, 1]), ("none", [-1, -1, -1, -1])])
def test_what_a_tile_shows_is_bought_or_implied_by_boxes(by, cars):
    tags, boxes = tagged([0, 1], [2, 0], [3, CAR]), boxed([1, 1, 5, 5, CAR, 0])
    found = tile_tags(tags, boxes, TILES, things=(CAR,), num_classes=3, by=by)
    assert found[:, :CAR].tolist() == [[0, 1], [0, 0], [1, 0], [0, 0]] and found[:, CAR].tolist() == cars


def test_what_nobody_was_asked_is_not_known():
    assert (tile_tags(NOTHING, NOTHING, TILES, things=(CAR,), num_classes=3, by="boxes") == -1).all()


def test_the_loss_is_that_of_one_fixed_crop_of_each_image(net):
    scenes = [(f"s{n}", tagged([n % 4, 0], [1, 1]), boxed([18, 0, 22, 4, CAR, 0])) for n in range(4)]
    batch, eye = shown(*scenes), Watched(net)
    loss = loss_of(eye, batch, moment())
    (crops,) = eye.seen
    at = []
    for crop, image in zip(crops, batch.image, strict=True):
        same = [n for n, (x0, y0, x1, y1) in enumerate(TILES.tolist()) if torch.equal(crop, image[:, y0:y1, x0:x1])]
        at.append(same[0])
    assert len(set(at)) > 1
    # The boxes' car meets the two upper tiles alone.
    targets = [[float(n % 4 == t), float(t == 1), float(t < 2)] for n, t in enumerate(at)]
    expected = F.binary_cross_entropy_with_logits(net(crops).logits, torch.tensor(targets))
    torch.testing.assert_close(loss, expected)
    assert loss.requires_grad


def test_steps_show_other_crops_and_workers_draw_alike(net):
    batch = shown(*((f"s{n}", tagged([0, 0]), boxed()) for n in range(4)))
    seen = []
    for step in (0, 0, 1, 2):
        eye = Watched(net)
        loss_of(eye, batch, Moment(step=step, steps=9, epoch=0, steps_an_epoch=9))
        seen.append(eye.seen[0])
    assert torch.equal(seen[0], seen[1]) and not torch.equal(seen[0], seen[2]) and not torch.equal(seen[2], seen[3])


def test_the_loss_is_that_of_the_whole_batch_however_it_is_cut(net):
    """The second half knows two classes of one image, the first all of both."""
    scenes = [(f"s{n}", tagged([n, 0], [n, 1]), boxed([0, 0, 30, 20, CAR, 0])) for n in range(3)]
    scenes[2] = (*scenes[2][:2], NOTHING)
    scenes.append(("s3", NOTHING, NOTHING))
    whole = loss_of(net, shown(*scenes), moment())
    image = shown(*scenes).image
    halves = [shown(*half)._replace(image=part) for half, part in ((scenes[:2], image[:2]), (scenes[2:], image[2:]))]
    parts = mean_of_shares(lambda share, at: loss_of(net, share, at), halves)
    torch.testing.assert_close(parts, whole)
    naive = torch.stack([loss_of(net, half, moment()) for half in halves]).mean()
    assert abs(naive - whole) > 1e-4


def test_an_image_of_which_nothing_is_known_teaches_nothing(net):
    loss = loss_of(net, shown(("s", NOTHING, NOTHING)), moment())
    assert loss == 0 and loss.requires_grad


def test_by_a_zoom_the_classifier_sees_crops_larger_in_training_and_for_seeds(net):
    """Twice as large, and seeds are of the image's size all the same, where the evidence was."""
    batch = shown(("s", tagged([0, 0]), boxed()))
    plain, near, sizes = Watched(net), Watched(net), set(zip(*(TILES[:, 2:] - TILES[:, :2]).T.tolist(), strict=True))
    for eye, zoom in ((plain, 1.0), (near, 2.0)):
        loss_of(eye, batch, moment(), zoom=zoom)
    (small,), (large,) = plain.seen, near.seen
    assert sizes == {(small.shape[3], small.shape[2])} and large.shape[2:] == (2 * small.shape[2], 2 * small.shape[3])
    ramp = torch.arange(12.0).expand(1, 3, 10, 12)
    torch.testing.assert_close(F.avg_pool2d(zoomed(ramp, 2.0), 2)[..., 1:-1], ramp[..., 1:-1])
    assert zoomed(small, 1.0) is small

    looked = []
    watching = net.encoder.register_forward_pre_hook(lambda _, given: looked.append(tuple(given[0].shape[2:])))
    made = StuffSeeds(tiling=TILING, zoom=2.0).label(predictors(net), picture(), tagged([1, 0], [1, 1]))
    watching.remove()
    x0, y0, x1, y1 = TILES[1].tolist()
    assert looked == [(2 * (y1 - y0), 2 * (x1 - x0))]
    inside = np.zeros(SIZE, np.bool_)
    inside[y0:y1, x0:x1] = True
    assert made.semantic.shape == SIZE and (made.semantic[~inside] == 255).all() and (made.semantic[inside] < 2).any()


def test_bad_input_of_the_objective_is_refused(net):
    good = shown(("s", tagged([0, 0]), boxed()))
    with pytest.raises(BadInput, match="'tags' and, with thing_tags boxes, 'boxes'; found boxes"):
        loss_of(net, good._replace(labels={"boxes": good.labels["boxes"]}), moment())
    with pytest.raises(BadInput, match="found tags"):
        loss_of(net, good._replace(labels={"tags": good.labels["tags"]}), moment())
    with pytest.raises(BadInput, match=r"class of a tag must be 0 to 2; found 3"):
        loss_of(net, shown(("s", tagged([0, 3]), boxed())), moment())
    with pytest.raises(BadInput, match="too small for 5 different crops"):
        loss_of(net, good._replace(image=good.image[..., :4]), moment(), tiling=PAPER_002)


def test_the_classifier_stands_on_the_segmentation_trunk():
    recipe = Recipe(encoder="test_resnet", pretrained="never", output_stride=8, norm="frozen", lr=0.5)
    network = classifier_network(recipe, 3)
    assert network.blueprint == SPEC and network.optimiser == recipe.make_optimiser()
    assert not objective().gives_maps


# ------------------------------------------------------------------------------------------------- the seeds


def slow_seeds(net, image, rows, share):
    """By autograd, class by class; every pixel asks which of the masks over it is the smallest."""
    masks = []
    for tile, label in rows:
        x0, y0, x1, y1 = TILES[tile]
        crop = torch.from_numpy(image[y0:y1, x0:x1].copy()).permute(2, 0, 1)[None] / 255
        features = net.encoder(crop)[-1].detach().requires_grad_()
        logits = net.classify(features.mean(dim=(2, 3)))
        (gradient,) = torch.autograd.grad(logits[0, label], features)
        cam = grad_cam(features.detach()[0], gradient[0])
        grown = F.interpolate(cam[None, None], size=(y1 - y0, x1 - x0), mode="bilinear")[0, 0]
        mask = (grown >= share * grown.max()) & (grown > 0)
        masks.append((int(mask.sum()), label, tile, mask))
    seeds = np.full(SIZE, 255)
    for y, x in np.ndindex(*SIZE):
        over = []
        for place, (area, label, tile, mask) in enumerate(masks):
            x0, y0, x1, y1 = TILES[tile]
            if y0 <= y < y1 and x0 <= x < x1 and mask[y - y0, x - x0]:
                over.append((area, place, label))
        if over:
            seeds[y, x] = min(over)[2]
    return seeds


@pytest.mark.parametrize("share", [0.5, 0.15])
def test_seeds_are_those_of_grad_cam_by_autograd(net, share):
    rows = [[0, 0], [0, 1], [1, 1], [2, 0], [3, 0], [3, 1]]
    made = StuffSeeds(share=share, tiling=TILING).label(predictors(net), picture(), tagged(*rows))
    expected = slow_seeds(net, picture(), rows, share)
    assert np.mean(made.semantic == expected) > 0.995  # a threshold may be met in one rounding and not in another
    assert {0, 1, 255} <= set(np.unique(made.semantic).tolist())


def test_only_stuff_that_is_tagged_has_seeds_and_only_in_its_crops(net):
    rule = StuffSeeds(tiling=TILING)
    made = rule.label(predictors(net), picture(), {"tags": tagged([1, 0], [0, CAR]), "boxes": boxed()}).semantic
    x0, y0, x1, y1 = TILES[1]
    inside = np.zeros(SIZE, np.bool_)
    inside[y0:y1, x0:x1] = True
    assert set(np.unique(made)) == {0, 255} and (made[~inside] == 255).all()


@pytest.mark.parametrize("known", [NOTHING, tagged()])
def test_without_a_tag_there_is_no_seed(net, known):
    assert (StuffSeeds(tiling=TILING).label(predictors(net), picture(), known).semantic == 255).all()


def test_bad_input_of_the_seeds_is_refused(net):
    rule = StuffSeeds(tiling=TILING)
    with pytest.raises(BadInput, match=r"label set named 'tags'; found boxes"):
        rule.label(predictors(net), picture(), {"boxes": boxed()})
    with pytest.raises(BadInput, match=r"found none\. Buy tags"):
        rule.label(predictors(net), picture(), None)
    with pytest.raises(BadInput, match=r"class of a tag must be 0 to 2; found 7"):
        rule.label(predictors(net), picture(), tagged([0, 7]))
    with pytest.raises(BadInput, match=r"tile of a tag must be 0 to 3; found 4"):
        rule.label(predictors(net), picture(), tagged([4, 0]))
    with pytest.raises(BadInput, match="a tag classifier; found a Linear"):
        rule.label(predictors(torch.nn.Linear(1, 1)), picture(), tagged())
    with pytest.raises(BadInput, match=r"share of the maximum in \[0, 1\]; found 1.5"):
        StuffSeeds(share=1.5)


# ------------------------------------------------------------------------------------------------- from the market


@pytest.mark.slow
def test_from_bought_tags_to_seeds(tmp_path):
    world = write_toy(tmp_path / "toy", target_train=3, target_val=1)
    with toy_lab(tmp_path / "home", world, hours=10.0) as lab:
        scenes, before = lab.pool.scenes(), lab.spent
        tags = lab.buy(Tags(scenes, PAPER_002, things=False))
        rows = [tags.labels(scene).tags for scene in scenes]
        assert lab.spent - before == round(lab.price("tag") * sum(map(len, rows)))  # present stuff alone is charged
        assert not any((each[:, 1] == CAR).any() for each in rows)
        part = Part(images=lab.pool, labels={"tags": tags, "boxes": lab.buy(Boxes(scenes))})
        goal = LearnTags(classifier=LEARNER, things=lab.classes.things)
        classifier = lab.train(goal, {"tags": tag_stream(part, 2)}, Plan(steps=3))
        seeds = lab.label(classifier, part, StuffSeeds())
        for scene in scenes:
            semantic, size = seeds.map(scene), lab.pool.size(scene)
            tiles = PAPER_002.crops(*size)
            shown_by = {(t, k) for t, k in tags.labels(scene).tags.tolist()}
            for y, x in np.argwhere(semantic != 255)[::7]:
                over = [t for t, (x0, y0, x1, y1) in enumerate(tiles) if x0 <= x < x1 and y0 <= y < y1]
                assert any((t, int(semantic[y, x])) in shown_by for t in over)


@pytest.mark.slow
def test_an_image_smaller_than_the_tiling_is_refused_when_tags_are_bought(tmp_path):
    with WorldWriter(tmp_path / "small", name="small", classes=TOY) as out:
        for split in ("train", "val"):
            out.add(toy_scene(0, split=split, height=24, width=4))
    with toy_lab(tmp_path / "home", World.open(tmp_path / "small")) as lab:
        with pytest.raises(BadInput, match="4 px is too small for 5 different crops"):
            lab.buy(Tags(lab.pool.scenes(), PAPER_002, things=False))
        assert lab.spent == 0
