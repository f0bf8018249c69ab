"""Files of every kind, mutated: what reads them refuses with a sentence, or takes them, and raises nothing else."""

import json
import os

import pytest
import yaml
from callhere import within
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from madestudy import baselines
from madestudy import study as made_study
from mutating import as_json, as_yaml, files, mangled, mutated
from sandbox import STUDY
from toystudy import PRICES, parsed
from toyworld import write_toy

from segfrontier.basics.installed import packaged
from segfrontier.errors import SegFrontierError
from segfrontier.home.status import Board
from segfrontier.market import Ledger, _account, export_acts, given_ledger, ledger_table, load_prices
from segfrontier.market._account import AccountLine, Bought, Opening
from segfrontier.market.prices import parse_prices
from segfrontier.plan.foreseen import foreseen
from segfrontier.report.as_json import to_json
from segfrontier.report.findings import findings
from segfrontier.report.load import harvest
from segfrontier.report.outputs import write_report
from segfrontier.report.references import load_references
from segfrontier.scenes.folders import FolderSpec
from segfrontier.scenes.manifest import WorldManifest
from segfrontier.store import Store
from segfrontier.study.claims import parse_claims
from segfrontier.study.config import Study
from segfrontier.study.paper_tables import parse_tables

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # a file that is left out is told by a warning
TRIED = settings(
    max_examples=int(os.environ.get("FUZZ_EXAMPLES", "30")),
    deadline=None, derandomize=True, database=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
PLAIN_STUDY = STUDY | {
    "worlds": [{"target": "toy", "source": None}], "prices": "street", "seeds": [0, 1],
    "methods": [{"name": "fine+coarse", "knobs": {"split": [0.3, 0.5]}}], "noise": {"points": 0.1},
    "search": {"kind": "random", "samples": 3}, "limits": {"hours": 1.0}, "splits": [],
}  # fmt: skip
REFERENCES = {"references": [{"name": "a", "paper": "b", "where": "c", "hours": 3.5, "score": 0.5, "world": "street"}]}
FOLDERS = {
    "name": "mine", "encoding": "ids", "void_ids": [255],
    "classes": [{"name": "road", "ids": [0], "colour": [1, 2, 3]}, {"name": "car", "ids": [1], "colour": [4, 5, 6]}],
    "splits": {"target/train": {"images": "images/{id}.png", "labels": "truth/{id}.png"}},
}  # fmt: skip


def survives(door, seconds=10.0):
    """Only errors that were raised on purpose may come out of a door."""
    try:
        with within(seconds):
            return door()
    except SegFrontierError as error:
        assert len(str(error)) < 20_000
        return None


@TRIED
@given(files(PLAIN_STUDY, as_yaml))
def test_study_files(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "study.yaml"
    path.write_bytes(data)
    study = survives(lambda: Study.load(path))
    if study is not None:
        assert study.size <= 100_000 and Study.parse(study.to_yaml()) == study


@TRIED
@given(files(yaml.safe_load(PRICES), as_yaml))
def test_price_lists(data):
    survives(lambda: parse_prices(data.decode("utf-8", "replace"), where="prices.yaml"))


def account_line():
    """The line of a first purchase, as plain values."""
    opening = Opening(text="t", prices=json.loads(load_prices("street").model_dump_json()))
    bought = Bought(
        stage="s", kind="point", seconds=5, labels_path="/x.arrow", labels_digest="d", totals=(2, 3, 3, 3)
    )  # fmt: skip
    entry = AccountLine(cell="c", time="2026-03-01T10:00:00+00:00", terms=opening, bought=bought)
    acts = {"scenes": ["s0", "s1"], "counts": [2, 1], "items": [4, 5, 6], "units": 1, "asked": [1, 1, 1]}
    return {"entry": entry.model_dump(exclude_none=True), "acts": acts}


@TRIED
@given(st.tuples(mutated(account_line()), st.booleans()) | mangled(json.dumps(account_line())))
def test_accounts_of_a_ledger(tmp_path_factory, line):
    """Mangled text, and lines of other content that are summed up as SegFrontier does it, before a line and last."""
    folder = tmp_path_factory.getbasetemp() / "ledger"
    ledger, sound = Ledger(folder, create=True), account_line()
    mine, more = (folder / f"{name}.jsonl" for name in ("c", "sound"))
    more.write_bytes(signed(sound | {"entry": sound["entry"] | {"cell": "sound"}}))
    mine.write_bytes(line if isinstance(line, bytes) else signed(line[0]) + (b"{" * line[1]))
    table = survives(lambda: ledger_table(given_ledger(folder)))
    assert "sound" in [c.cell for c in table.cells] and len(table.cells) + len(table.faults) in (1, 2)
    survives(lambda: export_acts(ledger, folder.parent / "acts.parquet"))
    survives(lambda: ledger.owned("c", "point"))
    survives(lambda: ledger.note_free(cell="c", stage="s", what="class_list", detail="d", count=1))


def signed(tree):
    """An account of one line."""
    rest = json.dumps(tree)[1:] if isinstance(tree, dict) else json.dumps(tree)
    return _account._signed("", rest.encode()) + rest.encode() + b"\n"


@TRIED
@given(files(REFERENCES, as_yaml))
def test_references(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "references.yaml"
    path.write_bytes(data)
    survives(lambda: load_references(path))


@TRIED
@given(files(yaml.safe_load(packaged("active_points", "claims.yaml")), as_yaml))
def test_claims(data):
    claims = survives(lambda: parse_claims(data.decode("utf-8", "replace"), where="claims.yaml"))
    if claims is not None and len(claims.claims) < 3:
        survives(claims.all_cells)


@TRIED
@given(files(yaml.safe_load(packaged("active_points", "tables.yaml")), as_yaml))
def test_tables(data):
    survives(lambda: parse_tables(data.decode("utf-8", "replace"), where="tables.yaml"))


@TRIED
@given(files(FOLDERS, as_yaml))
def test_dataset_descriptions(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "folders.yaml"
    path.write_bytes(data)
    survives(lambda: FolderSpec.load(path))


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    write_toy(folder / "toy")
    return (folder / "toy/world.json").read_text()


def test_world_manifests(manifest):
    @TRIED
    @given(files(json.loads(manifest), as_json))
    def check(data):
        survives(lambda: WorldManifest.from_bytes(data, where="world.json"))

    check()


KEY = "a" * 32


def test_entries_of_a_store(tmp_path):
    store = Store(tmp_path)
    store.once(KEY, lambda out: (out / "x").write_text("x"), about={"kind": "train", "arguments": {}, "inputs": {}})
    [path] = tmp_path.rglob("entry.json")
    valid = path.read_bytes()

    @TRIED
    @given(files(json.loads(valid), as_json))
    def check(data):
        path.parent.mkdir(parents=True, exist_ok=True)
        (path.parent / "x").write_text("x")
        path.write_bytes(data)
        survives(store.ls)

    check()


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A study whose files are mutated and put back."""
    place = made_study(tmp_path_factory.mktemp("home"), baselines((0,)))
    key = place.cell_keys()[0]
    for name, plain in {
        place.path / "run.json": {"pid": 1, "host": "h", "began": 1.0, "at": 2.0, "state": "running"},
        place.path / "runs.json": {key: "a1b2"},
        place.path / "search.json": {"fine+coarse": [{"split": 0.3}]},
        place.home.cell(key) / "cell.json": {"label": "fine, 1 h, seed 0", "method": "fine"},
        place.home.cell(key) / "status.json": {"state": "running", "at": 1.0, "stage": "train", "done": 1, "total": 2},
    }.items():
        name.parent.mkdir(parents=True, exist_ok=True)
        name.write_text(json.dumps(plain))
    return place


def mutate(path, door, *, seconds=10.0):
    """Try a door with many contents of a file, and put the valid one back."""
    valid = path.read_bytes()

    @TRIED
    @given(files(json.loads(valid), as_json))
    def check(data):
        path.write_bytes(data)
        survives(door, seconds)

    try:
        check()
    finally:
        path.write_bytes(valid)


def read(place):
    found = harvest(place)
    return found.words, to_json(found, findings(found))


@pytest.mark.parametrize("name", ["cells.json", "runs.json", "record.json", "cell.json", "status.json", "run.json"])
def test_what_a_frontier_reads(place, name):
    folder = place.path if (place.path / name).exists() else place.home.cell(place.cell_keys()[0])
    mutate(folder / name, lambda: read(place))


@pytest.mark.parametrize("name", ["cells.json", "record.json", "cell.json", "run.json", "status.json"])
def test_what_the_status_reads(place, name):
    folder = place.path if (place.path / name).exists() else place.home.cell(place.cell_keys()[0])
    mutate(folder / name, lambda: Board(place).look())


def test_what_a_search_left(place):
    plain = {"name": "a", "methods": [{"name": "fine+coarse", "knobs": {"split": {"low": 0.1, "high": 0.9}}}],
             "budgets": [1], "search": {"kind": "optuna", "samples": 2}}  # fmt: skip
    study = parsed(plain)
    mutate(place.path / "search.json", lambda: foreseen(study, place))


@pytest.mark.slow
def test_what_a_report_shows_of_a_record(place, tmp_path):
    path = place.home.cell(place.cell_keys()[0]) / "record.json"
    mutate(path, lambda: write_report(place, out=tmp_path / "report"), seconds=60)


def test_a_study_that_is_no_text_is_a_note(place):
    before = place.file.read_bytes()
    place.file.write_bytes(b"name: \xe9")
    try:
        assert any("UTF-8" in fault for fault in harvest(place).faults)
    finally:
        place.file.write_bytes(before)
