"""What a user's first study can lack is told before anything is bought or trained, and each time with the way out."""

import pytest
from toystudy import RECIPE, toy_study
from toyworld import write_toy

from segfrontier.errors import BadInput, BadPrices, BadWorld
from segfrontier.home.records import Record
from segfrontier.lab import LabSettings, open_lab
from segfrontier.plan.planning import plan_study
from segfrontier.study.run import run_study

NO_VAL = r"target/val to score on; it has: target/train \(6\). Write `val: 20 %` into the YAML"


def nothing_was_bought(home):
    return not any((home / "ledger").glob("*")) and not any((home / "store").glob("*")) and not any(home.rglob("*.pt"))


@pytest.fixture
def unscored(tmp_path):
    """A study on a world that has no scenes to score on."""
    study = toy_study(tmp_path)
    write_toy(tmp_path / "unscored", target_train=6)
    return study.of(study.resolved() | {"worlds": str(tmp_path / "unscored")})


def test_a_world_without_a_val_split_is_refused_by_plan_run_and_lab(tmp_path, unscored):
    with pytest.raises(BadInput, match=NO_VAL):
        plan_study(unscored, home=tmp_path / "runs", probe=False)
    with pytest.raises(BadWorld, match=NO_VAL):
        run_study(unscored, home=tmp_path / "runs", tracking="none")
    assert nothing_was_bought(tmp_path / "runs")
    world = write_toy(tmp_path / "bare", target_train=6)
    with pytest.raises(BadWorld, match=NO_VAL):
        open_lab(LabSettings(home=tmp_path / "home", world=world, prices="street"))
    assert not (tmp_path / "home").exists()


def test_a_world_of_synthetic_scenes_is_no_target_but_a_source(tmp_path):
    study, source = toy_study(tmp_path), write_toy(tmp_path / "game", source_train=4)
    with pytest.raises(BadWorld, match=r"it has: source/train \(4\). Give another world as target, and this one as"):
        run_study(study.of(study.resolved() | {"worlds": source.uri}), home=tmp_path / "runs", tracking="none")
    both = study.of(study.resolved() | {"worlds": [{"target": str(tmp_path / "toy"), "source": source.uri}]})
    assert not plan_study(both, home=tmp_path / "runs", probe=False).refused


def test_a_world_without_a_price_list_is_refused_with_the_way_to_one(tmp_path):
    study = toy_study(tmp_path)
    bare = study.of(study.resolved() | {"prices": None})
    for call in (lambda: plan_study(bare, home=tmp_path / "runs", probe=False),
                 lambda: run_study(bare, home=tmp_path / "runs", tracking="none")):  # fmt: skip
        with pytest.raises(BadPrices, match="price list for 'toy'.*`world import` writes one to fill in beside the"):
            call()
    assert nothing_was_bought(tmp_path / "runs")


def test_a_batch_that_a_method_cannot_divide_is_refused_before_it_buys(tmp_path):
    changes = {"methods": ["coarse_to_fine"], "seeds": [0], "recipe": RECIPE | {"batch": 1}}
    study, home = toy_study(tmp_path, **changes), tmp_path / "runs"
    (refused,) = plan_study(study, home=home, probe=False).refused
    assert "found batch 1 with synthetic_share 0.5, which makes 0 of them synthetic. Change one of the two." in refused
    run = run_study(study, home=home, tracking="none")
    for key in run.outcomes:
        record = Record.read(run.study.home.cell(key))
        assert record.state == "failed" and record.refused and not record.acts and not record.stages


@pytest.mark.parametrize("batch", [1, 16])
def test_batches_of_one_and_larger_than_what_is_bought_train_with_batch_norm(tmp_path, batch):
    recipe = RECIPE | {"batch": batch, "norm": "batch", "encoder": "test_resnet", "head": "deeplab_v3plus"}
    study = toy_study(tmp_path, methods=["fine"], budgets=[200 / 3600], seeds=[0], recipe=recipe)
    assert not plan_study(study, home=tmp_path / "runs", probe=False).refused
    assert list(run_study(study, home=tmp_path / "runs", tracking="none").outcomes.values()) == ["done"]
