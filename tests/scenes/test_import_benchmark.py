"""The benchmark of imports runs, and says what it measured."""

import importlib.util
import json
from pathlib import Path

FILE = Path(__file__).parents[2] / "benchmarks/import_speed.py"


def test_it_measures_the_three_ways_side_by_side(tmp_path, monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location("import_speed", FILE)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    monkeypatch.chdir(tmp_path)
    benchmark.main(["--scenes", "3", "--size", "64x128", "--rounds", "2", "--json", "found.json"])
    found = json.loads((tmp_path / "found.json").read_text())
    assert {name: len(times) for name, times in found["seconds"].items()} == {"copied": 2, "into one": 2, "imported": 2}
    assert found["scenes"] == 3 and found["cores"] >= 1 and found["files"] > 3 * 3
    assert found["share"] > 0 and f"{found['share']:.2f} (target 0.8)" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["found.json"]
