"""Plans of studies whose worlds are not here: costed from what is published, and said so."""

import pickle
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from terminal import segfrontier
from toystudy import parsed

from segfrontier.basics.installed import installed
from segfrontier.errors import BadStudy
from segfrontier.market import load_prices
from segfrontier.plan.planning import plan_study
from segfrontier.plan.words import sentences
from segfrontier.scenes.classes import CITYSCAPES, VOID
from segfrontier.scenes.imagined import ImaginedWorld, stripes, write_alike
from segfrontier.scenes.published import PUBLISHED, published
from segfrontier.study.paper_tables import load_study, tables_of

# Methods of one package share its tables: each is planned once.
TABLES = {table.says: (method, table.id) for method in sorted(installed(), reverse=True) for table in tables_of(method)}
RANDOM = "recipe.pretrained=never"


study = partial(
    parsed,
    {
        "name": "absent", "worlds": {"target": "worlds/cityscapes", "source": "worlds/gta5"}, "prices": "cityscapes",
        "methods": ["fine", "coarse"], "budgets": [15, 4462.5], "seeds": [0],
        "recipe": {"pretrained": "never"}, "executor": {"kind": "local"},
    },
)  # fmt: skip


def planned(tmp_path, **changes):
    return plan_study(study(**changes), home=tmp_path / "home", probe=False)


def test_hours_are_those_of_the_published_number_of_images(tmp_path):
    found = planned(tmp_path)
    bills = {(cell.cell.method, cell.cell.hours): cell.seconds for cell in found.cells}
    assert bills == {
        ("fine", 15): 10 * 5400,
        ("fine", 4462.5): 2975 * 5400,
        ("coarse", 15): 128 * 420,
        ("coarse", 4462.5): 2975 * 420,
    }
    assert sentences(found)[0] == (
        "worlds/cityscapes is not here: planned as Cityscapes, finely labelled part, 2,975 target/train scenes and 500 "
        "target/val scenes of 2048x1024, 19 classes. Import it before the study is run."
    )
    assert sentences(found)[1].startswith(
        "worlds/gta5 is not here: planned as GTA5 (Playing for Data), 24,966 source/train"
    )
    assert found.plain()["imagined"] == {"worlds/cityscapes": "cityscapes", "worlds/gta5": "gta5"}
    assert not (tmp_path / "home").exists()


def test_what_only_images_can_tell_is_not_told(tmp_path, monkeypatch):
    @dataclass(frozen=True, kw_only=True)
    class Boxed:
        def run(self, lab, recipe):
            from segfrontier.lab import Boxes

            lab.buy(Boxes(lab.pool.scenes()[:2]))

    entry = SimpleNamespace(name="boxed", value="tests:boxed", load=lambda: Boxed)
    monkeypatch.setattr("segfrontier.basics.installed.entry_points", lambda group: [entry])
    found = planned(tmp_path, methods=["boxed"], budgets=[15])
    (why,) = found.unforeseen
    assert why == (
        "after 0 stages: what box labels of cityscapes cost only its images tell, and it is not here; import it, then "
        "plan again"
    )
    assert not found.refused


def test_only_a_world_that_is_absent_and_known_is_imagined(tmp_path):
    with pytest.raises(BadStudy, match="worlds/cityscape: a world folder holds"):
        planned(tmp_path, worlds="worlds/cityscape")
    broken = tmp_path / "cityscapes"
    broken.mkdir()
    with pytest.raises(BadStudy, match="there is none"):
        planned(tmp_path, worlds=str(broken))
    assert published("s3://bucket/worlds/gta5/") is PUBLISHED["gta5"] and published("street") is None


def test_a_study_of_absent_worlds_is_planned_and_not_run(tmp_path):
    (tmp_path / "s.yaml").write_text(study(budgets=[15]).to_yaml())
    told = segfrontier("plan", "s.yaml", "--no-probe", folder=tmp_path)
    assert told.returncode == 0, told.stderr
    assert "segfrontier world import cityscapes YOUR-CITYSCAPES-FOLDER worlds/cityscapes" in told.stdout
    run = segfrontier("run", "s.yaml", folder=tmp_path)
    assert run.returncode == 3 and "worlds/cityscapes: a world folder holds" in run.stderr


def test_an_imagined_pool_travels_and_is_the_same():
    pool = ImaginedWorld(PUBLISHED["camvid"]).pool(split="val")
    again = pickle.loads(pickle.dumps(pool))
    assert (again.digest, len(again), again.scenes()) == (pool.digest, 101, pool.scenes())
    image = again.image(again.scenes()[3])
    assert image.shape == (360, 480, 3) and image.dtype == np.uint8 and image.std() > 10
    assert again.size(again.scenes()[0]) == (360, 480) and "target/val/000100" in again and "nothing" not in again
    assert again.image_digest("a") != again.image_digest("b")


def test_labels_that_are_all_alike_are_stored_once_and_read_as_others(tmp_path):
    sizes = {f"s{i}": (64, 128) for i in range(500)} | {"odd": (32, 40)}
    labels = write_alike(tmp_path, kind="coarse", classes=CITYSCAPES, sizes=sizes, identity="one")
    assert labels.scenes() == list(sizes) and "odd" in labels and labels.size("odd") == (32, 40) and len(labels) == 501
    assert (labels.map("s77") == stripes(64, 128, 19)).all() and (labels.map("odd") == stripes(32, 40, 19)).all()
    assert labels.instance("s1") is None and VOID not in labels.map("s1")
    other = write_alike(tmp_path, kind="coarse", classes=CITYSCAPES, sizes=sizes, identity="two")
    assert other.digest != labels.digest
    assert Path(labels.path).stat().st_size < 100 * len(sizes)


@pytest.mark.slow
@pytest.mark.parametrize(("method", "table"), sorted(TABLES.values()))
def test_every_packaged_table_can_be_costed(tmp_path, method, table):
    whole = load_study(f"{method}:{table}")
    ends = [f"budgets={[min(whole.budgets), max(whole.budgets)]}"] if whole.budgets else []
    mine = load_study(f"{method}:{table}", [*ends, "seeds=[0]", RANDOM])
    found = plan_study(mine, home=tmp_path, probe=False)
    assert not found.refused and all("only its images tell" in why for why in found.unforeseen)
    assert set(found.imagined) == {ref for w in mine.worlds for ref in (w.target, w.source) if ref}
    paying = [cell for cell in found.cells if cell.acts]
    if (method, table) == ("weak_panoptic", "table-6"):  # boxes and tags alone: only the images tell how many there are
        assert len(found.unforeseen) == 1 and all(cell.unforeseen and not cell.acts for cell in found.cells)
        return
    assert paying and found.stages and all(cell.stages for cell in found.cells if not cell.unforeseen)
    for cell in paying:
        prices = load_prices(cell.cell.prices)
        bill = sum(prices.milliseconds(k, units=t.units, asked=t.asked) for k, t in cell.acts.items()) / 1000
        assert cell.seconds == np.ceil(bill) and cell.seconds > 0
        assert cell.cell.hours == "all" or cell.seconds <= 3600 * cell.cell.hours


@pytest.mark.slow
def test_the_papers_own_hours_come_out():
    """Table 3 of paper 000: 58 to 933 h buy 500 to 8,000 coarse masks. Paper 001: 1,269.3 h label every patch."""
    coarse = load_study("coarse_to_fine:table-3", ["seeds=[0]", "methods.0.knobs.iterations=0", RANDOM])
    masks = [sum(t.units for t in cell.acts.values()) for cell in plan_study(coarse, probe=False).cells]
    assert masks == [500, 1000, 2000, 4000, 8000]
    changes = ["methods=[fine, {name: fine+coarse, knobs: {split: 0.6567}}]", "budgets=[6795.6]", "seeds=[0]", RANDOM]
    cells = plan_study(load_study("coarse_to_fine:table-2-cityscapes", changes), probe=False).cells
    bought = {cell.cell.method: {kind: totals.units for kind, totals in cell.acts.items()} for cell in cells}
    assert bought["fine"] == {"fine": 2975}, "train_extra has no fine masks"
    assert bought["fine+coarse"] == {"fine": 2975, "coarse": 19998}
    points = load_study("active_points:table-1", ["seeds=[0]", RANDOM])
    bills = [cell.seconds for cell in plan_study(points, probe=False).cells]
    assert max(bills) == round(2975 * 128 * 5 * 2.4) and bills.count(2975 * 120) == 2
