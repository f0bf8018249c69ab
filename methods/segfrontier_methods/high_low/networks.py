"""The two branches' networks, how they learn, and the streams that they learn from."""

from __future__ import annotations

from dataclasses import replace

from segfrontier.errors import BadInput
from segfrontier.lab import Adam, Augment, Ema, Network, Part, Recipe, Schedule, Sgd, Stream
from segfrontier.models.classifier import ClassifierSpec, TagClassifier
from segfrontier.models.discriminator import ImageDiscriminatorSpec
from segfrontier.models.encoder import build_encoder
from segfrontier.models.model import ModelSpec, needs_batch_norm
from segfrontier.models.network import check_network
from segfrontier.models.pyramid import plan_encoder
from segfrontier.models.weights import find_weights
from segfrontier_methods.high_low.data import Data
from segfrontier_methods.high_low.knobs import Knobs
from segfrontier_methods.high_low.mlmt import STRONG

_COSINE_END = 1e-4 / 0.03


def segmenter_of(knobs: Knobs, recipe: Recipe, classes: int) -> Network:
    """DeepLab-v2's optimiser on the recipe's network, or all of the recipe."""
    network = recipe.network(classes, align_corners=True)
    if knobs.lr is None:
        return network
    return replace(
        network,
        optimiser=Sgd(lr=knobs.lr, momentum=knobs.momentum, weight_decay=knobs.weight_decay),
        schedule=Schedule(shape="poly", power=0.9, over=round(recipe.plan().steps / knobs.schedule_share)),
        head_lr=knobs.head_lr,
        encoder_lr=knobs.encoder_lr,
    )


def critic_of(knobs: Knobs, segmenter: Network, classes: int) -> Network:
    """Of maps and images together, on the segmenter's schedule."""
    spec = ImageDiscriminatorSpec(
        channels=classes + 3, width=knobs.critic_width, dropout=knobs.critic_dropout, dropouts=knobs.critic_dropouts
    )
    optimiser = Adam(lr=knobs.critic_lr, betas=knobs.critic_betas)
    return Network(blueprint=spec, optimiser=optimiser, schedule=segmenter.schedule)


def classifier_of(knobs: Knobs, recipe: Recipe, classes: int) -> Network:
    """On the recipe's encoder; with a teacher where there is consistency to teach."""
    network, spec = _classifier(knobs, recipe, classes)
    own = knobs.teacher_norm == "own"
    ema = Ema(decay=knobs.ema_decay, buffers="keep" if own else "copy", mode="train" if own else "eval")
    network = replace(network, blueprint=spec, ema=ema if knobs.high == "mlmt" else None)
    if knobs.tag_lr is None:
        return network
    return replace(
        network,
        optimiser=Sgd(lr=knobs.tag_lr, momentum=0.9, weight_decay=knobs.tag_weight_decay, nesterov=True),
        schedule=Schedule(shape="cosine", floor=_COSINE_END),
        head_lr=1.0,
    )


def require_networks(knobs: Knobs, recipe: Recipe, classes: int) -> None:
    """BadInput where the lab's own look at a recipe cannot tell that a network of this method will not do."""
    if knobs.renorm:
        needs_batch_norm(recipe.model(classes), "the knob renorm")
    if not knobs.tagging:
        return
    _, spec = _classifier(knobs, recipe, classes)
    check_network(TagClassifier, replace(spec, norm="batch") if spec.norm == "sync" else spec)  # as the lab looks
    if knobs.classifier_encoder and spec.pretrained not in ("auto", "never"):  # the named weights must fit this one too
        try:
            build_encoder(spec, plan_encoder(spec), find_weights(spec.encoder, spec.pretrained))
        except BadInput as error:
            if knobs.classifier_pretrained:
                raise
            why = str(error).removesuffix(".")
            raise BadInput(f"{why}; classifier_pretrained says what the classifier starts from.") from None


def _classifier(knobs: Knobs, recipe: Recipe, classes: int) -> tuple[Network, ClassifierSpec]:
    """The recipe's network on the classifier's encoder, and the blueprint to put in its place."""
    encoder = knobs.classifier_encoder or recipe.encoder
    pretrained = knobs.classifier_pretrained or recipe.pretrained
    network = replace(recipe, encoder=encoder, pretrained=pretrained, output_stride=None).network(classes)
    like = network.blueprint
    assert isinstance(like, ModelSpec)
    spec = ClassifierSpec(encoder=like.encoder, pretrained=like.pretrained, norm=like.norm, num_classes=classes)
    return network, spec


def map_streams(recipe: Recipe, data: Data) -> dict[str, Stream]:
    """What the low branch sees: `truth` is the labelled images in an order and with crops of their own."""
    parts = {"labelled": data.masked, "truth": data.masked, "unlabelled": data.unlabelled}
    return {name: recipe.stream(part) for name, part in parts.items()}


def tag_streams(knobs: Knobs, recipe: Recipe, data: Data) -> dict[str, Stream]:
    """What the high branch sees: whole images, for a crop may not show what its tags say."""
    batch = knobs.tag_batch or recipe.batch
    known = (data.masked,) if data.tagged is None else (data.masked, data.tagged)
    streams = {"labelled": _whole(knobs, known, batch)}
    if knobs.high == "mlmt":
        streams["unlabelled"] = _whole(knobs, (data.untagged,), batch * knobs.tag_unlabelled)
    return streams


def _whole(knobs: Knobs, parts: tuple[Part, ...], batch: int) -> Stream:
    """Whole images, twice: weakly and strongly changed, each flipped by itself."""
    size = knobs.tag_size or parts[0].images.size(parts[0].names()[0])
    weak = Augment(resize=size, flip=True)
    strong = replace(weak, colour=knobs.colour, blur=knobs.blur)
    return Stream(parts=parts, batch=batch, augment=weak, views={STRONG: strong})
