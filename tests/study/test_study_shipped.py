"""Studies that come with the package, by name: each is one that could be run, and says what must be imported before."""

import re

import pytest

from segfrontier.errors import BadStudy
from segfrontier.scenes.importing import DATASETS
from segfrontier.study.cells import expand
from segfrontier.study.config import Study
from segfrontier.study.paper_tables import load_study, shipped


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_study_is_whole(name):
    study = load_study(f"study:{name}")
    assert study.name == name, "so that `frontier NAME` finds what `run study:NAME` did"
    cells = expand(study)
    assert cells and len({(c.method, str(c.knobs), c.hours, c.seed, str(c.recipe)) for c in cells}) == len(cells)
    if study.name != "demo":  # which takes what is installed
        assert {entry.name for entry in study.methods} == {cell.method for cell in cells}


@pytest.mark.parametrize("name", [name for name in shipped() if not name.startswith(("demo", "street", "proxy"))])
def test_its_comment_imports_the_worlds_that_it_names(name):
    from segfrontier.study.paper_tables import _shipped

    text = _shipped(name)
    said = re.findall(r"segfrontier world import (\S+) data/\S+ (worlds/\S+)", text)
    assert {place for _, place in said} == {
        ref for w in load_study(f"study:{name}").worlds for ref in (w.target, w.source) if ref and "street" not in ref
    }
    assert all(dataset in DATASETS or dataset == "camvid" for dataset, _ in said)
    assert all(place == f"worlds/{dataset}" for dataset, place in said)


def test_assignments_change_it_and_a_file_of_that_name_goes_first(tmp_path, monkeypatch):
    assert load_study("study:camvid-cpu", ["seeds=[7]"]).seeds == (7,)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study:voc").write_text(load_study("study:street-splits").to_yaml())
    assert load_study("study:voc").name == "street-splits"


def test_a_name_that_is_none_lists_those_there_are():
    with pytest.raises(BadStudy, match="study:nosuch must be a study that comes with us; there are .*camvid-cpu.*voc"):
        load_study("study:nosuch")
    with pytest.raises(BadStudy):
        Study.load("study")
