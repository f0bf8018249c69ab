"""What a method warns of: said in the log of its cell while it trains, in the record, the report and MLflow."""

import torch
from madestudy import record, study
from trackhere import STUDY, a_record

from segfrontier.home.layout import LOG
from segfrontier.lab.training.history import History
from segfrontier.lab.worker import Worker
from segfrontier.report.load import harvest
from segfrontier.study.cellwatch import CellWatch
from segfrontier.tracking.payload import cell_payload

RIDER = "warning/rider has vanished"


def test_a_line_of_the_log_has_means_over_the_steps_that_logged_a_name(tmp_path):
    history, lines = History(tmp_path / "log.jsonl", Worker(device=torch.device("cpu")), 4), []
    for step, values in enumerate([{"a": 1.0}, {"a": 2.0, "b": 3.0}, {"b": torch.tensor(5.0)}, {"a": 3.0}], start=1):
        history.take(values, {}, 2)
        if step == 2:  # a run that goes on from here logs the same
            state = history.state()
            history = History(tmp_path / "log.jsonl", Worker(device=torch.device("cpu")), 4)
            history.load(state, 2)
        history.end_of_step(step, 8, lambda *line: lines.append(line), last=False)
    ((done, _, values),) = lines
    assert done == 4 and values["a"] == 2.0 and values["b"] == 4.0


def test_a_checkpoint_of_an_earlier_version_goes_on(tmp_path):
    history = History(tmp_path / "log.jsonl", Worker(device=torch.device("cpu")), 4)
    history.load({"sums": {"a": 6.0}, "steps": 3, "lines": []}, 3)
    history.take({"a": 2.0}, {}, 1)
    history.end_of_step(4, 8, None, last=False)
    assert '"a": 2.0' in history.text()


def test_the_log_names_a_warning_each_time_that_it_comes_to_hold(tmp_path):
    with CellWatch(tmp_path, stop=lambda: False) as watch:
        watch.begin("train", "k" * 32)
        for step, value in ((10, 0.5), (20, 1.0), (30, 1.0), (40, 0.9), (50, None), (60, 1.0)):
            watch.step(step, 100, {"loss": 1.0} | ({} if value is None else {RIDER: value}))
        told = [line.split(" ", 2)[2] for line in (tmp_path / LOG).read_text().splitlines() if "warning" in line]
    assert told == ["warning: rider has vanished, by step 20", "warning: rider has vanished, by step 60"]


def test_what_held_from_the_first_line_is_no_news(tmp_path):
    with CellWatch(tmp_path, stop=lambda: False) as watch:
        watch.begin("train", "k" * 32)
        watch.step(10, 100, {RIDER: 1.0})
        assert "warning" not in (tmp_path / LOG).read_text()


def test_the_report_lists_warnings_once_a_method(tmp_path):
    warned = [record("proxy", 0.0, s, 0.3, notes={RIDER: 60.0, "easy_share": 0.9}) for s in (0, 1)]
    found = harvest(study(tmp_path, [*warned, record("fine", 6, 0, 0.4, acts={"fine": 4})]))
    assert [f for f in found.faults if "rider" in f] == ["proxy: rider has vanished (2 cells)"]
    assert found.records[0].warnings == ("rider has vanished",)


def test_mlflow_shows_warnings_in_the_note_and_as_metrics():
    payload = cell_payload(a_record(notes={RIDER: 60.0}), STUDY)
    assert "**warning**: rider has vanished" in payload.note
    assert [v.value for v in payload.values if v.name == "notes/warning/rider has vanished"] == [60.0]
