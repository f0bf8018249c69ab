"""What a log hears of a study that runs, where there is no terminal to draw on."""

from __future__ import annotations

import re
import time

from madestudy import record, study

from segfrontier.basics.atomic import write_json
from segfrontier.commands import board as boards
from segfrontier.commands.board import LiveBoard
from segfrontier.home.claiming import claimed
from segfrontier.home.layout import STATUS
from segfrontier.home.status import Board


def test_a_log_hears_of_the_cells_that_run_with_time_rate_and_what_is_left(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(boards, "_FIRST", 0.02)
    place = study(tmp_path, [record("fine", 1, 0, 0.3), record("fine", 2, 0, 0.4)])
    running = place.home.cell(place.cell_keys()[1])
    (running / "record.json").unlink()
    with claimed(place.path, place.name, print), LiveBoard() as board:
        values = {"loss": 0.51234, "lr/net": 1.0, "samples_a_second": 34.56, "data_wait": 0.5}
        write_json(
            running / STATUS, {"state": "running", "stage": "train ab", "done": 3, "total": 12, "values": values}
        )
        board.began(Board(place), waiting=1)
        time.sleep(0.5)
    said = capfd.readouterr().err
    line = next(line for line in said.splitlines() if "of 1 ended" in line)
    assert re.match(r"\d\d:\d\d:\d\d 0 of 1 ended; ", line)
    whole = " ".join(said.split())
    assert "train ab 25% (loss 0.512, 34.6 img/s, data wait 50%)" in whole and "lr/net" not in said
    assert "\x1b" not in said, "no cursor codes where there is no terminal"
    assert said.count("of 1 ended") <= 6, "lines become fewer the longer it takes"
