"""How busy a machine is, from the files of a made-up one and a made-up `nvidia-smi`."""

import stat

import pytest

from segfrontier.basics.usage import Usage

MEMORY = "MemTotal:       1048576 kB\nMemFree:  1 kB\nMemAvailable:    262144 kB\n"


@pytest.fixture
def proc(tmp_path):
    (tmp_path / "stat").write_text("cpu  100 0 100 700 100 0 0 0 50 0\ncpu0 1 2 3\n")
    (tmp_path / "meminfo").write_text(MEMORY)
    return tmp_path


def smi(tmp_path, text):
    file = tmp_path / "smi"
    file.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/asked\n{text}\n')
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(file)


def test_cpu_is_told_since_the_last_look_and_memory_now(proc):
    """30 of 100 ticks were busy; those of guests are counted among them."""
    usage = Usage(proc, smi=str(proc / "none"))
    (proc / "stat").write_text("cpu  130 0 100 750 120 0 0 0 80 0\n")
    assert usage.look() == {
        "system/cpu_utilization_percentage": 30.0, "system/system_memory_usage_megabytes": 768.0,
        "system/system_memory_usage_percentage": 75.0,
    }  # fmt: skip
    assert "system/cpu_utilization_percentage" not in usage.look(), "no tick has passed"


def test_gpus_are_those_that_the_process_may_use(proc, monkeypatch):
    usage = Usage(proc, smi=smi(proc, 'echo "50, 1024, 4096"; echo "0, 0, 4096"'))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    found = {name: value for name, value in usage.look().items() if "gpu" in name}
    assert (
        found["system/gpu_0_utilization_percentage"] == 50.0 and found["system/gpu_0_memory_usage_percentage"] == 25.0
    )
    assert len(found) == 6 and "--id" not in (proc / "asked").read_text()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    usage.look()
    assert "--id=3" in (proc / "asked").read_text()
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # as Ray has it where a cell's workers hold the GPUs
    assert len([name for name in usage.look() if "gpu" in name]) == 6 and "--id" not in (proc / "asked").read_text()
    assert not any("gpu" in name for name in Usage(proc, smi=smi(proc, 'echo "1, 1, 1"'), gpus=False).look())


@pytest.mark.parametrize("text", ["exit 1", 'echo "[N/A], 0, 0"', 'echo "1, 2, 0"', "echo nonsense"])
def test_what_cannot_be_told_is_left_out(proc, monkeypatch, text):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert not any("gpu" in name for name in Usage(proc, smi=smi(proc, text)).look())
    assert Usage(proc / "nowhere", smi=str(proc / "none")).look() == {}
