"""Every knob reaches the network, the optimiser, the schedule or the stream that it is about, and no other."""

from dataclasses import fields, replace

import pytest
from highlowhere import KNOBS, RECIPE, highlow_lab
from test_highlow_files import VALUES
from torch import nn
from toylab import Recorder

from segfrontier.lab import Adam, Augment, Ema, Network, Schedule, Sgd
from segfrontier.models.classifier import ClassifierSpec
from segfrontier.models.discriminator import ImageDiscriminatorSpec
from segfrontier_methods.high_low import HighLow
from segfrontier_methods.high_low.data import bought
from segfrontier_methods.high_low.knobs import Knobs
from segfrontier_methods.high_low.mlmt import STRONG, TagTeacher
from segfrontier_methods.high_low.networks import classifier_of, critic_of, map_streams, segmenter_of, tag_streams
from segfrontier_methods.high_low.s4gan import S4Gan

NUMBERS = {"lr": 0.005, "tag_lr": 0.07, "low": "s4gan", "high": "mlmt", "split": 0.0, "renorm": False}
RECIPE = replace(
    RECIPE, head="fpn", norm="frozen_affine", batch=3, steps=30, lr=0.5, momentum=0.1, weight_decay=0.25, head_lr=2.0,
    power=0.5, warmup=7, clip=1.5,
)  # fmt: skip


def tuples(knobs):
    return {name: tuple(value) if isinstance(value, list) else value for name, value in knobs.items()}


def turned(**changes):
    """Every knob at something else than its default."""
    return Knobs(**(tuples(VALUES) | NUMBERS | changes))


def settings(network):
    return {f.name: getattr(network, f.name) for f in fields(network)}


# ------------------------------------------------------------------------------------------------ networks


def test_the_segmenter_has_the_papers_optimiser_with_the_knobs_numbers():
    assert settings(segmenter_of(turned(), RECIPE, 5)) == settings(
        Network(
            blueprint=RECIPE.model(5, align_corners=True),
            optimiser=Sgd(lr=0.005, momentum=0.8, weight_decay=1e-4, nesterov=False),
            schedule=Schedule(shape="poly", power=0.9, floor=0.0, warmup=0, per="step", over=40),  # 30 of 40 are run
            head_lr=5.0, encoder_lr=3.0, clip=1.5, ema=None,
        )
    )  # fmt: skip


def test_without_a_rate_the_segmenter_is_all_the_recipes():
    found = segmenter_of(turned(lr=None), RECIPE, 5)
    assert settings(found) == settings(RECIPE.network(5, align_corners=True))
    assert found.optimiser == Sgd(lr=0.5, momentum=0.1, weight_decay=0.25) and found.encoder_lr == 1.0


def test_the_critic_has_its_own_numbers_and_the_segmenters_schedule():
    knobs = turned()
    segmenter = segmenter_of(knobs, RECIPE, 5)
    assert settings(critic_of(knobs, segmenter, 5)) == settings(
        Network(
            blueprint=ImageDiscriminatorSpec(channels=5 + 3, width=8, dropout=0.3, dropouts=3),
            optimiser=Adam(lr=1e-5, betas=(0.5, 0.9), weight_decay=0.0, decoupled=False),
            schedule=Schedule(shape="poly", power=0.9, over=40),
            head_lr=1.0, encoder_lr=1.0, clip=None, ema=None,
        )
    )  # fmt: skip
    of_recipe = critic_of(knobs, segmenter_of(turned(lr=None), RECIPE, 5), 5)
    assert of_recipe.schedule == Schedule(shape="poly", power=0.5, warmup=7)


@pytest.mark.parametrize("count", [0, 2, 3, 4])
def test_dropout_of_the_critic_follows_its_first_convolutions(count):
    knobs = turned(critic_dropouts=count)
    body = critic_of(knobs, segmenter_of(knobs, RECIPE, 5), 5).blueprint.build(seed=0).body
    plain, dropped = ["Conv2d", "LeakyReLU"], ["Conv2d", "LeakyReLU", "Dropout2d"]
    assert [type(layer).__name__ for layer in body] == dropped * count + plain * (4 - count)
    assert {layer.p for layer in body if isinstance(layer, nn.Dropout2d)} == ({0.3} if count else set())
    assert [layer.out_channels for layer in body if isinstance(layer, nn.Conv2d)] == [8, 16, 32, 64]


def classifier(*, ema, **changes):
    return Network(
        **{
            "blueprint": ClassifierSpec(
                encoder="test_resnet", pretrained="never", norm="frozen_affine", num_classes=5, dropout=0.0
            ),
            "optimiser": Sgd(lr=0.07, momentum=0.9, weight_decay=1e-4, nesterov=True),
            "schedule": Schedule(shape="cosine", floor=1e-4 / 0.03, warmup=0, per="step", over=None),
            "head_lr": 1.0, "encoder_lr": 1.0, "clip": 1.5, "ema": ema,
        }
        | changes
    )  # fmt: skip


@pytest.mark.parametrize(
    ("norm", "ema"),
    [
        ("own", Ema(decay=0.99, buffers="keep", mode="train")),
        ("student", Ema(decay=0.99, buffers="copy", mode="eval")),
    ],
)
def test_the_classifier_has_the_codes_optimiser_and_a_teacher(norm, ema):
    found = classifier_of(turned(teacher_norm=norm), RECIPE, 5)
    assert settings(found) == settings(classifier(ema=ema))
    assert found.optimiser.lr * found.schedule.floor == pytest.approx(0.07 * 1e-4 / 0.03)


def test_a_supervised_classifier_has_no_teacher():
    assert settings(classifier_of(turned(high="cnn"), RECIPE, 5)) == settings(classifier(ema=None))


def test_without_a_rate_the_classifier_learns_as_the_recipe_says():
    found = classifier_of(turned(high="cnn", tag_lr=None), RECIPE, 5)
    like = RECIPE.network(5)
    wanted = classifier(ema=None, optimiser=like.optimiser, schedule=like.schedule, head_lr=2.0)
    assert settings(found) == settings(wanted)


def test_the_classifiers_encoder_is_its_own_or_the_recipes():
    recipe = replace(RECIPE, encoder="test_vit", norm="batch", output_stride=None)
    assert classifier_of(turned(), recipe, 5).blueprint.encoder == "test_resnet"
    assert classifier_of(turned(classifier_encoder=None), recipe, 5).blueprint.encoder == "test_vit"
    named = replace(recipe, pretrained="timm:resnet18.a1_in1k")  # which is no weights of a classifier's other encoder
    assert classifier_of(turned(classifier_pretrained="never"), named, 5).blueprint.pretrained == "never"
    strided = replace(RECIPE, output_stride=16)
    assert classifier_of(turned(), strided, 5).blueprint == classifier_of(turned(), RECIPE, 5).blueprint


# ------------------------------------------------------------------------------------------------ objectives


def test_the_objectives_have_the_knobs_of_their_names():
    given = {**tuples(VALUES), **NUMBERS}
    game = (
        "pull", "pull_weight", "matching_norm", "self_training", "self_training_from", "gamma", "gamma_strict",
        "score_dropout", "truth_map", "critic_image",
    )  # fmt: skip
    teaching = ("consistency", "consistency_form", "consistency_on_labelled", "ramp")
    made = HighLow(**given)
    assert made._fields_of(S4Gan) == {name: given[name] for name in game}
    assert made._fields_of(TagTeacher) == {name: given[name] for name in teaching}


# ------------------------------------------------------------------------------------------------ streams


def test_the_classifier_sees_whole_images_and_its_student_others_colours(world, tmp_path):
    with highlow_lab(tmp_path, world) as lab:
        data = bought(lab, labelled=0.5, split=0.01, draw=None)
    weak = Augment(resize=(320, 320), scale=(1.0, 1.0), crop=None, flip=True, colour=0.0, blur=0.0)
    strong = {STRONG: Augment(resize=(320, 320), scale=(1.0, 1.0), crop=None, flip=True, colour=0.2, blur=1.0)}
    streams = tag_streams(turned(), RECIPE, data)
    assert list(streams) == ["labelled", "unlabelled"]
    assert [s.batch for s in streams.values()] == [16, 16 * 2]
    assert all(s.augment == weak and s.views == strong and s.shares is None for s in streams.values())
    assert streams["labelled"].parts == (data.masked, data.tagged) and data.tagged is not None
    assert streams["unlabelled"].parts == (data.untagged,)
    assert list(tag_streams(turned(high="cnn"), RECIPE, data)) == ["labelled"]
    assert tag_streams(turned(), RECIPE, replace(data, tagged=None))["labelled"].parts == (data.masked,)


def test_without_sizes_of_its_own_the_classifier_has_the_recipes_batch_and_the_images_size(world, tmp_path):
    with highlow_lab(tmp_path, world) as lab:
        data = bought(lab, labelled=0.5, split=0.0, draw=None)
        size = lab.pool.size(lab.pool.scenes()[0])
    streams = tag_streams(turned(tag_batch=None, tag_size=None), replace(RECIPE, crop=(16, 16)), data)
    assert [s.batch for s in streams.values()] == [3, 6]
    assert streams["labelled"].augment == Augment(resize=size, flip=True)
    assert streams["labelled"].views[STRONG] == Augment(resize=size, flip=True, colour=0.2, blur=1.0)


def test_the_segmenter_sees_the_recipes_crops_of_each_part(world, tmp_path):
    with highlow_lab(tmp_path, world) as lab:
        data = bought(lab, labelled=0.5, split=0.01, draw=None)
    streams = map_streams(replace(RECIPE, crop=(16, 24), flip=True), data)
    assert {n: s.parts for n, s in streams.items()} == {
        "labelled": (data.masked,), "truth": (data.masked,), "unlabelled": (data.unlabelled,)
    }  # fmt: skip
    assert all(s.augment == Augment(crop=(16, 24), flip=True) and s.batch == 3 for s in streams.values())
    assert not any(s.views for s in streams.values())


# ------------------------------------------------------------------------------------------------ the alarm


def test_where_every_image_is_selected_the_alarm_is_noted(world, tmp_path, caplog):
    knobs = KNOBS | {"gamma": 0.0, "high": "none"}
    recipe = replace(RECIPE, head="deeplab_v2", steps=2, batch=2, warmup=0)
    with highlow_lab(tmp_path, world, watcher=(heard := Recorder())) as lab:
        HighLow(**knobs).run(lab, recipe)
    assert heard.notes["critic/alarm"] == 1.0 and heard.notes["critic/selected"] == 1.0
    assert "it trusted all of" in caplog.text
