"""What `world inspect` finds, on worlds that are wrong on purpose; and that it finds nothing where nothing is wrong."""

import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from toyworld import TOY, toy_scene, write_toy

from segfrontier.report.world_page import write_world_page
from segfrontier.scenes.classes import CITYSCAPES, ClassTable
from segfrontier.scenes.codec import encode_image
from segfrontier.scenes.health.encodings import STREET, is_drawn, other_encoding, speckle, total_variation
from segfrontier.scenes.health.likeness import Likeness, likeness, twins
from segfrontier.scenes.health.shift import shift
from segfrontier.scenes.inspection import inspect_world
from segfrontier.scenes.world import World
from segfrontier.scenes.writer import WorldWriter


def write(folder, scenes, classes=TOY):
    with WorldWriter(folder, name="toy", classes=classes) as out:
        for scene in scenes:
            out.add(scene)
    return World.open(folder)


def kinds(world, **options):
    return {(f.severity, f.kind, f.where): f for f in inspect_world(world, **options).findings}


def painted(number, *, split="train", values=(0, 1, 2), domain="target"):
    """A scene with its own picture: smooth noise, so that no two look alike."""
    rng = np.random.default_rng(number)
    image = cv2.resize(rng.integers(0, 256, (5, 7, 3)).astype(np.uint8), (32, 24), interpolation=cv2.INTER_CUBIC)
    semantic = np.repeat(np.asarray(values, np.uint8), -(-32 // len(values)))[:32]
    labels = np.tile(semantic, (24, 1))
    return replace(
        toy_scene(number, split=split, domain=domain), image=encode_image(image), semantic=labels, instance=None
    )


def test_a_world_in_order_has_no_findings(tmp_path):
    scenes = [painted(n, split="val" if n > 7 else "train") for n in range(12)]
    report = inspect_world(write(tmp_path / "world", scenes))
    assert report.findings == () and not report.unusable
    assert [(c.name, c.scenes, c.total) for c in report.splits] == [("target/train", 8, 8), ("target/val", 4, 4)]


def test_void_is_found_at_its_threshold(tmp_path):
    def part(number, share):
        scene = painted(number)
        labels = scene.semantic.ravel().copy()
        labels[: round(share * labels.size)] = 255
        return replace(scene, semantic=labels.reshape(24, 32))

    scenes = [part(0, 0.6), part(1, 0.61), part(2, 1.0), painted(3)]  # 60 % of 768 pixels are 460.8: 461 are over
    found = kinds(write(tmp_path / "world", scenes))
    mostly = found["warning", "mostly-void", "target/train"]
    assert (mostly.count, mostly.of) == (2, 4)
    assert found["warning", "all-void", "target/train"].examples == ("target/train:target/train/002",)
    assert "60%" in mostly.words and mostly.words.endswith(": 2 of 4 scenes")


def test_a_split_without_a_class_is_unusable(tmp_path):
    scenes = [painted(n, values=(255,)) for n in range(2)] + [painted(9, split="val")]
    report = inspect_world(write(tmp_path / "world", scenes))
    assert report.unusable and report.findings[0].kind == "all-void" and report.findings[0].severity == "error"


def test_coarse_maps_may_be_mostly_void(tmp_path):
    coarse = np.full((24, 32), 255, np.uint8)
    coarse[0, 0] = 1
    scenes = [replace(painted(0), semantic=None, coarse=coarse), painted(1)]
    assert not [f for f in inspect_world(write(tmp_path / "w", scenes)).findings if "void" in f.kind]


def test_classes_that_train_lacks_are_named(tmp_path):
    scenes = [painted(n, values=(0,)) for n in range(3)] + [painted(n, split="val", values=(0, 2)) for n in range(3, 5)]
    found = kinds(write(tmp_path / "world", scenes))
    lacking = found["warning", "never-in-train", "target/train"]
    assert lacking.words == "target/train: no car, which target/val has: 1 of 3 classes"
    assert found["note", "unused-classes", "all splits"].what == "no scene shows wall"


def test_copies_across_splits_are_found_small_or_pressed(tmp_path):
    scenes = [painted(n) for n in range(6)]
    image = cv2.imdecode(np.frombuffer(scenes[2].image, np.uint8), cv2.IMREAD_COLOR_RGB)
    pressed = replace(painted(20, split="val"), image=encode_image(image, quality=85))
    same = replace(painted(21, split="val"), image=scenes[4].image)
    inside = replace(
        painted(22), image=encode_image(np.roll(image, 0) // 1, quality=70)
    )  # of the same split: no matter
    found = kinds(write(tmp_path / "world", [*scenes, pressed, same, inside, painted(23, split="val")]))
    near = found["warning", "near-duplicates", "target/train, target/val"]
    assert set(near.examples) == {
        "target/train:target/train/002 ~ target/val:target/val/020",
        "target/train:target/train/022 ~ target/val:target/val/020",
    }
    assert found["warning", "same-images", "target/train, target/val"].count == 1


def test_bands_find_all_pairs_that_a_slow_comparison_finds():
    rng = np.random.default_rng(0)
    small = np.zeros((16, 16), np.uint8)
    signs = rng.integers(0, 2**63, 301).tolist()
    signs += [s ^ sum(1 << int(b) for b in rng.choice(64, rng.integers(0, 4), replace=False)) for s in signs[:60]]
    images = [Likeness(str(i), f"s{i % 3}", str(i), s, small) for i, s in enumerate(signs)]
    found = {(t.first, t.second): t.bits for t in twins(images)}
    wanted = {
        frozenset((f"s{i % 3}:{i}", f"s{j % 3}:{j}")): (signs[i] ^ signs[j]).bit_count()
        for i in range(len(signs)) for j in range(i) if i % 3 != j % 3 and (signs[i] ^ signs[j]).bit_count() <= 3
    }  # fmt: skip
    assert len(wanted) > 20
    assert wanted.items() <= {frozenset(pair): bits for pair, bits in found.items()}.items()


def test_signs_alone_make_no_twins():
    dark, light = np.zeros((24, 32, 3), np.uint8), np.full((24, 32, 3), 200, np.uint8)
    plain = [likeness("a", "x", "1", dark), likeness("b", "y", "2", light)]
    assert plain[0].sign == plain[1].sign and twins(plain) == []
    assert len(twins([plain[0], likeness("c", "y", "3", dark)])) == 1


def pixels_of(codes, declared):
    """Counts by label and void, of street-like files that hold `codes` and are read by `declared`."""
    counts = np.zeros(256, int)
    for name, code in codes.items():
        counts[declared.get(code, 255)] += round(STREET[name] * 1e6)
    return counts.tolist()


def declared(classes):
    return {raw: label for label, c in enumerate(classes.classes) for raw in c.raw_ids}


TRAIN_IDS = ClassTable(
    name="t", classes=tuple(replace(c, raw_ids=(i,)) for i, c in enumerate(CITYSCAPES.classes)), void_ids=(255,)
)
LABEL_CODES = {c.name: c.raw_ids[0] for c in CITYSCAPES.classes}
TRAIN_CODES = {name: i for i, name in enumerate(CITYSCAPES.names)}
RED_CODES = {c.name: c.colour[0] for c in CITYSCAPES.classes}


@pytest.mark.parametrize(
    ("classes", "codes", "says"),
    [
        (TRAIN_IDS, TRAIN_CODES, ""),
        (TRAIN_IDS, LABEL_CODES, "labelIds"),
        (CITYSCAPES, LABEL_CODES, ""),
        (CITYSCAPES, TRAIN_CODES, "trainIds"),
    ],
)
def test_ids_read_by_the_wrong_table_are_told_by_what_streets_look_like(classes, codes, says):
    found = other_encoding(classes, pixels_of(codes, declared(classes)))
    assert (says in found) if says else found == ""


def test_colours_taken_for_ids_and_unknown_tables():
    names = CITYSCAPES.names[:6]
    turned = zip(CITYSCAPES.classes[:6], (names[-1], *names[:-1]), strict=True)  # declared with its neighbour's red
    wide = ClassTable(name="w", classes=tuple(replace(c, raw_ids=(RED_CODES[n],)) for c, n in turned))
    codes = {name: RED_CODES[name] for name in CITYSCAPES.names[:6]}
    assert "red channel" in other_encoding(wide, pixels_of(codes, declared(wide)))
    assert other_encoding(TOY, [1] * 256) == ""
    assert other_encoding(CITYSCAPES, [0] * 256) == ""


def test_a_mixed_up_world_is_found_by_inspection(tmp_path):
    table = replace(TRAIN_IDS)
    scene = painted(0)
    labels = np.repeat(np.array([7] * 12 + [11] * 8 + [8] * 2 + [255] * 10, np.uint8)[None], 24, 0)
    world = write(tmp_path / "w", [replace(painted(n), semantic=labels) for n in range(2)], table)
    assert "labelIds" in kinds(world)["warning", "other-encoding", "target/train"].what
    assert scene.semantic.shape == labels.shape


def test_lossy_labels_and_labels_for_images_are_found(tmp_path):
    noise = np.random.default_rng(0).integers(0, 3, (24, 32)).astype(np.uint8)
    drawn = encode_image(np.asarray(TOY.palette[painted(1).semantic], np.uint8))
    found = kinds(write(tmp_path / "w", [replace(painted(0), semantic=noise), replace(painted(1), image=drawn)]))
    assert found["warning", "speckled", "target/train"].examples == ("target/train:target/train/000",)
    assert found["warning", "colours-for-images", "target/train"].examples == ("target/train:target/train/001",)
    assert speckle(np.array([[0, 1, 0, 0, 1]])) == pytest.approx(1 / 3)
    assert not is_drawn(np.zeros((9, 9, 3), np.uint8), TOY.palette), "a black image is a dark one"


def test_label_shift_is_a_total_variation_beyond_chance(tmp_path):
    assert total_variation([0.5, 0.3, 0.2], [0.2, 0.3, 0.5]) == pytest.approx(0.3)
    rng = np.random.default_rng(1)
    alike = rng.multinomial(1000, [0.5, 0.3, 0.2], 40)
    other = rng.multinomial(1000, [0.2, 0.3, 0.5], 30)
    found = shift(alike[:20], alike[20:])
    assert found.distance < 0.02
    assert shift(alike, other).distance == pytest.approx(0.3, abs=0.02) and set(shift(alike, other).classes[:2]) == {
        0,
        2,
    }
    lumpy = np.array([[1000, 0, 0], [0, 1000, 0]] * 2)
    assert shift(lumpy[:2], lumpy[1:3]).chance >= 0.5, "few scenes of one class each differ by chance"
    scenes = [painted(n) for n in range(6)] + [painted(n, split="val", values=(0, 0, 0, 1, 2)) for n in range(6, 12)]
    scenes += [painted(n, domain="source", values=(2, 2, 2, 1, 0)) for n in range(12, 18)]
    found = kinds(write(tmp_path / "w", scenes))
    assert "ground" in found["warning", "label-shift", "target/train, target/val"].what
    assert ("note", "label-shift", "target/train, source/train") in found or (
        ("note", "label-shift", "source/train, target/train") in found
    )


def test_a_sample_is_seeded_and_stated(tmp_path):
    world = write_toy(tmp_path / "world", target_train=9, target_val=2)
    steps = []
    first = inspect_world(world, sample=4, progress=lambda *step: steps.append(step))
    assert steps[-1] == (6, 6) and first.sample == 4
    assert [c.looked for c in first.splits] == ["4 of 9 scenes (seed 0)", "2 scenes"]
    assert inspect_world(world, sample=4) == first


def test_the_page_shows_findings_with_pictures_and_loads_nothing(tmp_path):
    scenes = [painted(n) for n in range(3)] + [painted(5, split="val", values=(0, 255, 255, 255))]
    image = cv2.imdecode(np.frombuffer(scenes[1].image, np.uint8), cv2.IMREAD_COLOR_RGB)
    scenes.append(replace(painted(6, split="val"), id="a <b> & c", image=encode_image(image, quality=90)))
    world = write(tmp_path / "world", scenes)
    text = write_world_page(world, inspect_world(world), tmp_path / "new/page.html").read_text()
    assert "a &lt;b&gt; &amp; c" in text and "<b> & c" not in text
    assert "almost the same: 1 among 5 scenes" in text
    assert text.count("<figure>") >= 2 + len(scenes) and "http" not in text and text.count('class="finding"') == 2
    json.dumps(inspect_world(world).to_json())
