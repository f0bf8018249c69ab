"""ADE20K as its scene parsing benchmark hands it out: 150 classes, 0 is void; objects, where their archive is there.

Object files have a number in the green channel, unique in its image. 100 of the classes are countable.
"""

from __future__ import annotations

from segfrontier.scenes.classes import ClassTable, SceneClass
from segfrontier.scenes.importing.labelfiles import colours, ids
from segfrontier.scenes.importing.layout import Dataset, LayoutPart, RawTruth, SceneFiles
from segfrontier.scenes.pascal import bit_colour

_NAMES = (
    "wall, building, sky, floor, tree, ceiling, road, bed, windowpane, grass, cabinet, sidewalk, person, earth, "
    "door, table, mountain, plant, curtain, chair, car, water, painting, sofa, shelf, house, sea, mirror, rug, "
    "field, armchair, seat, fence, desk, rock, wardrobe, lamp, bathtub, railing, cushion, base, box, column, "
    "signboard, chest of drawers, counter, sand, sink, skyscraper, fireplace, refrigerator, grandstand, path, "
    "stairs, runway, case, pool table, pillow, screen door, stairway, river, bridge, bookcase, blind, coffee table, "
    "toilet, flower, book, hill, bench, countertop, stove, palm, kitchen island, computer, swivel chair, boat, bar, "
    "arcade machine, hovel, bus, towel, light, truck, tower, chandelier, awning, streetlight, booth, television, "
    "airplane, dirt track, apparel, pole, land, bannister, escalator, ottoman, bottle, buffet, poster, stage, van, "
    "ship, fountain, conveyer belt, canopy, washer, plaything, swimming pool, stool, barrel, basket, waterfall, "
    "tent, bag, minibike, cradle, oven, ball, food, step, tank, trade name, microwave, pot, animal, bicycle, lake, "
    "dishwasher, screen, blanket, sculpture, hood, sconce, vase, traffic light, tray, ashcan, fan, pier, crt "
    "screen, plate, monitor, bulletin board, shower, radiator, glass, clock, flag"
)
_STUFF = (
    "wall, building, sky, floor, tree, ceiling, road, grass, sidewalk, earth, mountain, plant, water, house, sea, "
    "rug, field, rock, base, sand, skyscraper, grandstand, path, runway, stairway, river, bridge, blind, hill, bar, "
    "hovel, tower, dirt track, land, escalator, buffet, poster, stage, conveyer belt, canopy, swimming pool, "
    "waterfall, tent, cradle, tank, lake, blanket, pier, crt screen, shower"
)

ADE150 = ClassTable(
    name="ade150",
    classes=tuple(
        SceneClass(name=name, colour=bit_colour(number), thing=name not in _STUFF.split(", "), raw_ids=(number,))
        for number, name in enumerate(_NAMES.split(", "), start=1)
    ),
    void_ids=(0,),
)
"""Labels 0 to 149 are the files' values 1 to 150; a class is called by the first of its names."""


def read(item: SceneFiles) -> RawTruth:
    """Classes, and numbers of objects where the archive with them is there."""
    semantic = ids(item.labels["semantic"])
    if "instance" not in item.labels:
        return RawTruth(semantic=semantic)
    return RawTruth(semantic=semantic, instance=colours(item.labels["instance"])[..., 1])


ADE20K = Dataset(
    name="ade20k",
    title="ADE20K",
    classes=ADE150,
    layouts=(tuple(
        LayoutPart(
            name=split, images=f"images/{folder}/{{id}}.jpg", read=read,
            labels={
                "semantic": f"annotations/{folder}/{{id}}.png", "instance": f"annotations_instance/{folder}/{{id}}.png",
            },
        )
        for split, folder in (("train", "training"), ("val", "validation"))
    ),),
)  # fmt: skip
