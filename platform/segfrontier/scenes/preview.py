"""A contact sheet of a world: image | semantic | instances | coarse, a row a scene, with the classes named below."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from segfrontier.errors import BadInput
from segfrontier.scenes.classes import VOID, ClassTable
from segfrontier.scenes.codec import MAX_PIXELS, Undecodable, resize_labels
from segfrontier.scenes.world import Pool, Truth, World

Row = tuple[str, list[tuple[str, NDArray[np.uint8]]]]  # title, then (caption, picture) a panel
_PANELS = 4  # image, semantic map, instances, coarse map
_PALE = 0.65  # how far the colour of what is no object goes to white
_GAP, _CAPTION, _PAPER, _INK = 6, 20, (255, 255, 255), (30, 30, 30)


def colourise(labels: NDArray[np.uint8], classes: ClassTable) -> NDArray[np.uint8]:
    """(H, W, 3) RGB picture of a label map; void is black."""
    return np.asarray(classes.palette[labels], np.uint8)


def colourise_instances(ids: NDArray[np.uint16]) -> NDArray[np.uint8]:
    """(H, W, 3) RGB: a colour of its own for each instance, dark grey where there is none."""
    spread = np.arange(65536, dtype=np.uint32)
    hsv = np.stack([(spread * 67) % 180, 150 + (spread * 37) % 100, 170 + (spread * 53) % 80], -1).astype(np.uint8)
    palette = cv2.cvtColor(hsv[None], cv2.COLOR_HSV2RGB)[0]
    palette[0] = 45
    return np.asarray(palette[ids], np.uint8)


def colourise_objects(
    semantic: NDArray[np.uint8], ids: NDArray[np.uint16], classes: ClassTable
) -> NDArray[np.uint8]:  # fmt: skip
    """(H, W, 3) RGB: a colour of its own for each object, dark lines where two touch; all else pale, void white."""
    pale = np.asarray(np.rint(_PALE * 255 + (1 - _PALE) * classes.palette[semantic]), np.uint8)
    pale[semantic == VOID] = _PAPER
    picture = np.where((ids > 0)[..., None], colourise_instances(ids), pale)
    for here, there in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        picture[here][(ids[here] != ids[there]) & (ids[here] > 0) & (ids[there] > 0)] = _INK
    return picture


def contact_sheet(world: World, *, rows_a_split: int = 4, width: int = 384) -> NDArray[np.uint8]:
    """An RGB picture of evenly spaced scenes of every domain and split; `width` is that of one picture in it.

    The place of an image that does not decode stays grey.
    """
    shown = _shown(world, rows_a_split)
    _require_room([(pool.size(scene), _PANELS) for pool, _, scene in shown], width)
    rows = [_row(world, pool, truth, scene, width) for pool, truth, scene in shown]
    return sheet(rows, world.classes, width=width)


def _shown(world: World, rows_a_split: int) -> list[tuple[Pool, Truth, str]]:
    found = []
    for domain, split in world.splits():
        truth, pool = world.truth(domain=domain, split=split), world.pool(domain=domain, split=split)
        scenes = pool.scenes()
        spread = np.linspace(0, len(scenes) - 1, min(rows_a_split, len(scenes))).round().astype(int)
        found += [(pool, truth, scenes[at]) for at in sorted(set(spread.tolist()))]
    return found


def _row(world: World, pool: Pool, truth: Truth, scene: str, width: int) -> Row:
    title = f"{pool.domain}/{pool.split}  {scene}"
    try:
        panels = [("image", pool.image(scene))]
    except Undecodable:
        title += " does not decode"
        panels = [("image", np.full((*pool.size(scene), 3), 128, np.uint8))]
    if truth.is_fine(scene):
        panels.append(("semantic", colourise(truth.semantic(scene), world.classes)))
    ids, coarse = truth.instance(scene), truth.coarse(scene)
    if ids is not None:
        word = "components" if world.manifest.components else "instances"
        panels.append((f"{word} ({len(np.unique(ids[ids > 0]))})", colourise_instances(ids)))
    if coarse is not None:
        panels.append(("coarse", colourise(coarse, world.classes)))
    return title, [(name, _to_width(picture, width, photo=i == 0)) for i, (name, picture) in enumerate(panels)]


def _height(size: tuple[int, int], width: int) -> int:
    return max(1, round(size[0] * width / size[1]))


def _require_room(rows: Sequence[tuple[tuple[int, int], int]], width: int) -> None:
    """Raise unless a sheet of rows, each of pictures of a size and so many of them, stays within the limit."""
    pixels = sum((_height(size, width) + _CAPTION + _GAP) * (width + _GAP) * panels for size, panels in rows)
    if pixels > MAX_PIXELS:
        raise BadInput(
            f"a sheet of pictures must have {MAX_PIXELS} pixels at most; {len(rows)} rows, {width} pixels wide each "
            f"picture, would have {pixels}. Ask for fewer rows or narrower pictures."
        )


def _to_width(picture: NDArray[np.uint8], width: int, *, photo: bool) -> NDArray[np.uint8]:
    height = _height((picture.shape[0], picture.shape[1]), width)
    if picture.shape[:2] == (height, width):
        return picture
    if photo:
        return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return resize_labels(picture, height, width)


def sheet(rows: Sequence[Row], classes: ClassTable, *, width: int, note: str = "") -> NDArray[np.uint8]:
    """Rows of captioned pictures, each brought to `width`, above the classes' colours; the first picture is a photo.

    `note` says below them what other colours mean.
    """
    _require_room([((p.shape[0], p.shape[1]), len(panels)) for _, panels in rows for _, p in panels[:1]], width)
    rows = [(t, [(n, _to_width(p, width, photo=i == 0)) for i, (n, p) in enumerate(panels)]) for t, panels in rows]
    columns = max(len(panels) for _, panels in rows)
    heights = [max(p.shape[0] for _, p in panels) + _CAPTION + _GAP for _, panels in rows]
    total_width = columns * (width + _GAP) + _GAP
    legend_rows, legend_columns = _legend_shape(classes, total_width)
    lines = textwrap.wrap(note, max(20, total_width // _LETTER))
    below = (legend_rows + len(lines)) * _CAPTION
    canvas = Image.new("RGB", (total_width, sum(heights) + below + 2 * _GAP), _PAPER)
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(13)
    top = _GAP
    for (title, panels), height in zip(rows, heights, strict=True):
        for column, (name, picture) in enumerate(panels):
            left = _GAP + column * (width + _GAP)
            draw.text((left, top), title if column == 0 else name, fill=_INK, font=font)
            canvas.paste(Image.fromarray(picture), (left, top + _CAPTION))
        top += height
    entries = [(c.name, c.colour) for c in classes.classes] + [("void", (0, 0, 0))]
    for i, (name, colour) in enumerate(entries):
        left = _GAP + (i % legend_columns) * _LEGEND_WIDTH
        y = top + (i // legend_columns) * _CAPTION
        draw.rectangle((left, y + 2, left + 14, y + 15), fill=colour, outline=_INK)
        draw.text((left + 20, y), name, fill=_INK, font=font)
    for i, line in enumerate(lines, start=legend_rows):
        draw.text((_GAP, top + i * _CAPTION), line, fill=_INK, font=font)
    return np.asarray(canvas)


_LEGEND_WIDTH = 120
_LETTER = 7
"""Pixels of a letter of a note, at most on average."""


def _legend_shape(classes: ClassTable, total_width: int) -> tuple[int, int]:
    columns = max(1, (total_width - _GAP) // _LEGEND_WIDTH)
    return -(-(len(classes) + 1) // columns), columns
