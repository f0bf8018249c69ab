"""What `pretrained: auto` stands for is decided once: in cells, keys, facets, plans and runs, and for a home's life."""

import json

import huggingface_hub
import pytest
from packhere import install, state_of
from terminal import segfrontier
from toystudy import RECIPE, toy_study

from segfrontier.errors import BadInput
from segfrontier.home.layout import DamagedFile
from segfrontier.home.records import Record
from segfrontier.lab import Recipe
from segfrontier.market import Ledger
from segfrontier.models import weights
from segfrontier.models.weights import RandomWeights
from segfrontier.plan.planning import plan_study
from segfrontier.plan.words import sentences
from segfrontier.study.cells import expand
from segfrontier.study.keys import Atlas, keyed
from segfrontier.study.pins import Pins
from segfrontier.study.run import StudyWatcher, run_study

AUTO = Recipe(encoder="test_resnet")
ONE = {"methods": ["fine"], "budgets": [200 / 3600], "seeds": [0]}


@pytest.fixture(autouse=True)
def hub(monkeypatch):
    """What timm's cache holds; there is no network."""
    cached = {}
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda repo, *_, **__: cached.get(repo))
    monkeypatch.setattr(weights, "_answers", lambda site: False)
    return cached


def of(folder, encoder="test_resnet", **changes):
    return toy_study(folder, **ONE, recipe=RECIPE | {"pretrained": "auto", "encoder": encoder}, **changes)


def test_a_cell_names_the_weights_and_its_facet_says_them(monkeypatch, tmp_path):
    install(monkeypatch, tmp_path / "site")
    ((key, cell),) = keyed(expand(of(tmp_path)), Atlas()).items()
    assert cell.recipe.pretrained.startswith("package:toy-weights 1.2#")
    assert " test_resnet (toy-weights 1.2)/fpn, " in str(cell.facet)
    assert list(keyed([cell], Atlas())) == [key]
    named = of(tmp_path).model_copy(
        update={"recipe": RECIPE | {"encoder": "test_resnet", "pretrained": "package:toy-weights"}}
    )
    assert list(keyed(expand(named), Atlas())) == [key]


def test_random_weights_are_the_same_cell_as_those_that_were_asked_for(tmp_path):
    never = toy_study(tmp_path, **ONE, recipe=RECIPE | {"encoder": "test_resnet"})
    with pytest.warns(RandomWeights, match="no installed package offers any") as seen:
        assert list(keyed(expand(of(tmp_path)), Atlas())) == list(keyed(expand(never), Atlas()))
    assert len(seen) == 1


def test_a_home_keeps_its_decision_when_the_network_comes_back(monkeypatch, tmp_path, hub):
    file = install(monkeypatch, tmp_path / "site")
    first = Pins(tmp_path, keep=True).pinned(AUTO).pretrained
    hub["timm/test_resnet.r160_in1k"] = str(file)
    assert Pins().pinned(AUTO).pretrained == "timm:test_resnet.r160_in1k"
    assert Pins(tmp_path).pinned(AUTO).pretrained == Pins(tmp_path, keep=True).pinned(AUTO).pretrained == first
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(BadInput, match=r"must start from package:toy-weights.*weights.json keeps what studies"):
        Pins(tmp_path).pinned(AUTO)


def test_who_only_looks_keeps_nothing_and_random_weights_are_not_kept(monkeypatch, tmp_path):
    with pytest.warns(RandomWeights):
        assert Pins(tmp_path, keep=True).pinned(AUTO).pretrained == "never"
    install(monkeypatch, tmp_path / "site")
    assert Pins(tmp_path).pinned(AUTO).pretrained.startswith("package:")
    assert not (tmp_path / "weights.json").exists()
    Pins(tmp_path, keep=True).pinned(AUTO)
    assert list(json.loads((tmp_path / "weights.json").read_text())) == ["test_resnet"]


@pytest.mark.parametrize("content", ["[]", '{"test_resnet": 3}', '{"test_resnet": "/etc/passwd"}', "{"])
def test_a_damaged_decision_is_told_and_made_anew(monkeypatch, tmp_path, content):
    install(monkeypatch, tmp_path / "site")
    (tmp_path / "weights.json").write_text(content)
    with pytest.warns(DamagedFile, match="weights.json must hold"):
        assert Pins(tmp_path, keep=True).pinned(AUTO).pretrained.startswith("package:")


def test_a_plan_says_which_weights_take_the_place_of_auto_and_no_others(monkeypatch, tmp_path):
    recipe = RECIPE | {"encoder": "test_resnet", "pretrained": ["auto", "never"]}
    study = toy_study(tmp_path, **ONE, recipe=recipe)
    for one in (study, toy_study(tmp_path, **ONE, recipe=RECIPE | {"encoder": "test_resnet", "pretrained": "auto"})):
        with pytest.warns(RandomWeights):
            told = sentences(plan_study(one, home=tmp_path / "runs", probe=False))
        assert told[0] == "test_resnet starts from random weights."
    install(monkeypatch, tmp_path / "site")
    plan = plan_study(study, home=tmp_path / "runs", probe=False)
    origin = plan.cells[0].cell.recipe.pretrained
    assert [text for text in sentences(plan) if "starts from" in text] == [f"test_resnet starts from {origin}."]


class Heard(StudyWatcher):
    def weights(self, sentences):
        self.sentences = list(sentences)


def test_plan_and_run_mean_the_same_and_bill_card_and_record_say_it(monkeypatch, tmp_path):
    install(monkeypatch, tmp_path / "site", state=state_of())
    study, home = of(tmp_path), tmp_path / "runs"
    plan = plan_study(study, home=home, probe=False)
    (planned,) = plan.cells
    origin = planned.cell.recipe.pretrained
    assert f"test_resnet starts from {origin}." in sentences(plan) and not (home / "weights.json").exists()
    heard = Heard()
    done = run_study(study, home=home, tracking="none", watcher=heard)
    assert heard.sentences == [f"test_resnet starts from {origin}."]
    assert dict(done.outcomes) == {planned.key: "done"}
    record = Record.read(done.study.home.cell(planned.key))
    assert {s.key for s in record.stages} == set(planned.stages)
    assert record.facet_words == str(planned.cell.facet) and "(toy-weights 1.2)" in record.facet_words
    free = {line.what: line.detail for line in Ledger(home / "ledger").free_lines(planned.key)}
    assert free["encoder_pretraining"].endswith(f": {origin}") and origin.endswith("(MIT)")
    assert f"   segmenter: {origin}" in segfrontier("ledger", str(home), folder=tmp_path).stdout.splitlines()
    (card,) = (home / "store").rglob("model.json")
    assert list(json.loads(card.read_text())["trained"]["weights"].values()) == [origin]
