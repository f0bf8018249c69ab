"""How fast panoptic quality is counted, beside the reference algorithm in NumPy: `python benchmarks/panoptic_speed.py`.

The reference is written twice, plainly and from scratch: with one mask a segment, and with the id pairs sorted by
`np.unique`, as the published evaluator does it. Both get ready-made id maps and segment lists for nothing; ours starts
from class and instance maps. All three must agree. Needed: at least 5x. Where hotcoco (Rust) is installed (`pip install
hotcoco`), it and ours also read the same maps from COCO's panoptic files, as it takes no arrays, and must agree.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from segfrontier.maths import PanopticCounts, overlap_maps, panoptic_counts, panoptic_scores

NUM_CLASSES = 19
THINGS = tuple(range(11, 19))
Counts = NDArray[np.float64]
"""Rows: matches, false positives, misses, summed IoU; one column a class."""


class Panoptic(NamedTuple):
    """Class and instance maps, and the same as an id map (0 void) with a list of (id, class, is crowd)."""

    label: NDArray[np.uint8]
    instance: NDArray[np.uint16]
    ids: NDArray[np.int64]
    segments: list[tuple[int, int, bool]]


def make_panoptic(label: NDArray[np.uint8], instance: NDArray[np.uint16], *, crowds: bool) -> Panoptic:
    """Number the segments; a thing pixel without an instance is its class's crowd, or nothing."""
    ids = np.zeros(label.shape, np.int64)
    segments: list[tuple[int, int, bool]] = []
    for c in range(NUM_CLASSES):
        of_class = label == c
        for i in np.unique(instance[of_class]) if c in THINGS else [0] if of_class.any() else []:
            crowd = c in THINGS and i == 0
            if not crowd or crowds:
                segments.append((len(segments) + 1, c, crowd))
                ids[of_class & ((instance == i) | (c not in THINGS))] = len(segments)
    return Panoptic(label, instance, ids, segments)


def make_pair(seed: int, *, height: int = 512, width: int = 1024, objects: int = 30) -> tuple[Panoptic, Panoptic]:
    """A street-like image: stuff regions, elliptic objects in front, 5% void, some crowds; the prediction wobbles."""
    rng = np.random.default_rng(seed)
    planes = rng.standard_normal((11, height // 64, width // 64)).astype(np.float32)
    stuff = np.stack([cv2.resize(plane, (width, height), interpolation=cv2.INTER_CUBIC) for plane in planes])
    wobble = cv2.resize(rng.standard_normal((height // 16, width // 16)).astype(np.float32), (width, height))
    maps = []
    for scores in (stuff, stuff + 0.3 * np.roll(stuff, 1, 0) + 0.2 * wobble * (np.arange(11) % 2)[:, None, None]):
        maps.append((scores.argmax(0).astype(np.uint8), np.zeros((height, width), np.uint16)))
    for i in range(1, objects + 1):
        c, at = int(rng.choice(THINGS)), (int(rng.integers(width)), int(rng.integers(height)))
        axes, crowd = (int(rng.integers(6, 70)), int(rng.integers(6, 50))), rng.random() < 0.1
        for which, (label, instance) in enumerate(maps):
            if which == 1 and rng.random() < 0.15:
                continue
            moved = tuple(int(v + which * rng.integers(-4, 5)) for v in at)
            cv2.ellipse(label, moved, axes, 0, 0, 360, c, -1)
            cv2.ellipse(instance, moved, axes, 0, 0, 360, 0 if crowd and which == 0 else i, -1)
    maps[0][0][(rng.random((height // 16, width // 16)) < 0.05).repeat(16, 0).repeat(16, 1)] = 255
    return make_panoptic(*maps[0], crowds=True), make_panoptic(*maps[1], crowds=False)


def judge(
    truth: Panoptic,
    prediction: Panoptic,
    shared: Callable[[int, int], int],
    areas: Callable[[Panoptic, int], int],
) -> Counts:
    """The reference rules, given what two segments share (id 0 is void) and how large each is."""
    counts = np.zeros((4, NUM_CLASSES))
    matched_truth, matched = set(), set()
    for t, c, crowd in truth.segments:
        for p, guessed, _ in prediction.segments:
            if crowd or c != guessed or not shared(t, p):
                continue
            union = areas(prediction, p) + areas(truth, t) - shared(t, p) - shared(0, p)
            if shared(t, p) / union > 0.5:
                counts[:, c] += (1, 0, 0, shared(t, p) / union)
                matched_truth.add(t)
                matched.add(p)
    for t, c, crowd in truth.segments:
        counts[2, c] += t not in matched_truth and not crowd
    for p, c, _ in prediction.segments:
        if p not in matched:
            excused = shared(0, p) + sum(shared(t, p) for t, other, crowd in truth.segments if crowd and other == c)
            counts[1, c] += excused / areas(prediction, p) <= 0.5
    return counts


def with_masks(truth: Panoptic, prediction: Panoptic) -> Counts:
    """One boolean mask a segment, each built once; an intersection is counted when first asked for."""
    true_masks = {t: truth.ids == t for t in [0, *(t for t, _, _ in truth.segments)]}
    masks = {p: prediction.ids == p for p, _, _ in prediction.segments}
    sizes = {id(truth): {t: int(np.count_nonzero(m)) for t, m in true_masks.items()}}
    sizes[id(prediction)] = {p: int(np.count_nonzero(m)) for p, m in masks.items()}
    known: dict[tuple[int, int], int] = {}

    def shared(t: int, p: int) -> int:
        if (t, p) not in known:
            known[t, p] = int(np.count_nonzero(true_masks[t] & masks[p]))
        return known[t, p]

    return judge(truth, prediction, shared, lambda side, segment: sizes[id(side)][segment])


def with_unique(truth: Panoptic, prediction: Panoptic) -> Counts:
    """All intersections at once, from the sorted pairs of ids, as the published evaluator counts them."""
    pairs, pixels = np.unique(truth.ids * 2**24 + prediction.ids, return_counts=True)
    known = {(int(pair) >> 24, int(pair) & 0xFFFFFF): int(n) for pair, n in zip(pairs, pixels, strict=True)}
    sizes = {
        id(side): dict(zip(*(a.tolist() for a in np.unique(side.ids, return_counts=True)), strict=True))
        for side in (truth, prediction)
    }
    return judge(truth, prediction, lambda t, p: known.get((t, p), 0), lambda side, segment: sizes[id(side)][segment])


def ours(truth: Panoptic, prediction: Panoptic) -> PanopticCounts:
    """The engine's way, from class and instance maps."""
    overlaps = overlap_maps(truth.label, truth.instance, prediction.label, prediction.instance, things=THINGS)
    return panoptic_counts(overlaps, num_classes=NUM_CLASSES)


def race(
    runs: dict[str, Callable[[Panoptic, Panoptic], object]], pairs: list[tuple[Panoptic, Panoptic]], *, rounds: int
) -> dict[str, float]:
    """Milliseconds of CPU time an image: all runs take turns on each image, the median over rounds counts."""
    spent = np.zeros((rounds, len(pairs), len(runs)))
    for i, j in np.ndindex(rounds, len(pairs)):
        for k, run in enumerate(runs.values()):
            start = time.thread_time()
            run(*pairs[j])
            spent[i, j, k] = time.thread_time() - start
    medians = np.median(spent, axis=0).mean(axis=0) * 1e3
    return dict(zip(runs, medians.tolist(), strict=True))


def write_files(sides: list[Panoptic], folder: Path, name: str) -> Path:
    """One side of all pairs in COCO's panoptic format: a JSON, and PNGs of ids beside it."""
    (folder / name).mkdir()
    annotations = []
    for i, side in enumerate(sides):
        blue_first = np.stack([side.ids >> 16, side.ids >> 8 & 255, side.ids & 255], axis=-1)
        cv2.imwrite(str(folder / name / f"{i}.png"), blue_first.astype(np.uint8))
        areas = np.bincount(side.ids.ravel(), minlength=len(side.segments) + 1).tolist()
        info = [
            {"id": s, "category_id": c, "iscrowd": int(crowd), "area": areas[s], "bbox": [0, 0, 1, 1]}
            for s, c, crowd in side.segments
        ]
        annotations.append({"image_id": i, "file_name": f"{i}.png", "segments_info": info})
    height, width = sides[0].ids.shape
    plain = {
        "images": [{"id": i, "file_name": f"{i}.png", "height": height, "width": width} for i in range(len(sides))],
        "annotations": annotations,
        "categories": [{"id": c, "name": str(c), "isthing": int(c in THINGS)} for c in range(NUM_CLASSES)],
    }
    (folder / f"{name}.json").write_text(json.dumps(plain))
    return folder / f"{name}.json"


def read_files(file: Path) -> list[tuple[NDArray[np.uint8], NDArray[np.uint16]]]:
    """Class and instance maps of such files."""
    found = []
    for each in json.loads(file.read_text())["annotations"]:
        png = cv2.imread(str(file.with_suffix("") / each["file_name"]))
        ids = np.bitwise_or(png[..., 2], png[..., 1].astype(np.uint16) << 8)  # no image has more segments than that
        labels, numbers = np.full(65536, 255, np.uint8), np.zeros(65536, np.uint16)
        for segment in each["segments_info"]:
            labels[segment["id"]] = segment["category_id"]
            numbers[segment["id"]] = 0 if segment["iscrowd"] else segment["id"]
        found.append((labels[ids], numbers[ids]))
    return found


def race_files(pairs: list[tuple[Panoptic, Panoptic]], *, rounds: int) -> tuple[float, float]:
    """CPU milliseconds an image from files to PQ: ours, and hotcoco's, in one thread each."""
    os.environ["RAYON_NUM_THREADS"] = "1"
    from hotcoco.panoptic import PanopticEval

    spent: list[tuple[float, float]] = []
    with TemporaryDirectory() as place:
        sides = list(zip(*pairs, strict=True))
        truth, prediction = (write_files(list(s), Path(place), n) for s, n in zip(sides, "tp", strict=True))
        for _ in range(rounds):
            start = time.process_time()
            total = PanopticCounts.zero(num_classes=NUM_CLASSES)
            for true, found in zip(read_files(truth), read_files(prediction), strict=True):
                total = total + panoptic_counts(overlap_maps(*true, *found, things=THINGS), num_classes=NUM_CLASSES)
            middle = time.process_time()
            judged = PanopticEval(str(truth), str(prediction))
            judged.evaluate()
            spent.append((middle - start, time.process_time() - middle))
        theirs = judged.results()["All"]["pq"]
    assert abs(panoptic_scores(total, things=THINGS)["pq"] - theirs) < 1e-9, theirs
    ours_time, their_time = np.median(spent, axis=0) * 1e3 / len(pairs)
    return float(ours_time), float(their_time)


def main() -> None:
    """Time all three on the same images, in one thread (none of them uses more)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    pairs = [make_pair(seed) for seed in range(options.images)]
    for truth, prediction in pairs:
        found = ours(truth, prediction)
        counted = [found.matched_C, found.false_C, found.missed_C, found.iou_units_C * 2.0**-40]
        for reference in (with_masks, with_unique):
            np.testing.assert_allclose(counted, reference(truth, prediction), atol=1e-10)
    true, predicted = np.mean([[len(t.segments), len(p.segments)] for t, p in pairs], axis=0)
    print(f"{len(pairs)} images of 512x1024, {NUM_CLASSES} classes; CPU ms an image")
    print(f"segments an image: {true:.0f} true, {predicted:.0f} predicted")
    runs: dict[str, Callable[[Panoptic, Panoptic], object]] = {
        "ours": ours,
        "reference, a mask a segment": with_masks,
        "reference, np.unique of pairs": with_unique,
    }
    (_, our_time), *theirs = race(runs, pairs, rounds=options.rounds).items()
    print(f"  {'ours':34} {our_time:7.2f}")
    for label, spent in theirs:
        print(f"  {label:34} {spent:7.2f}   ours is {spent / our_time:5.1f}x as fast")
    if find_spec("hotcoco"):
        from_files, by_rust = race_files(pairs, rounds=options.rounds)
        ratio = from_files / by_rust
        print(
            f"from COCO's files: ours {from_files:.2f}, hotcoco {by_rust:.2f} (decoding included): {ratio:.1f}x as long"
        )
    else:
        print("hotcoco is not installed: nothing is read from COCO's files")


if __name__ == "__main__":
    main()
