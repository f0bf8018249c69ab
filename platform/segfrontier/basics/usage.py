"""How busy a machine is: CPU and memory as Linux counts them, GPUs as `nvidia-smi` does; what is not there is absent.

The names are those under which MLflow shows system metrics.
"""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

DECIDES_NOTHING = True  # no stage's result depends on how this is done, so no key does

_PROC = Path("/proc")
_SECONDS = 5.0
_MEBI = 1024 * 1024


class Usage:
    """CPU is told since the last look, or since this was made."""

    def __init__(self, proc: Path = _PROC, smi: str = "nvidia-smi", *, gpus: bool = True) -> None:
        self._proc, self._smi = proc, smi if gpus else ""
        self._busy, self._whole = self._ticks()

    def look(self) -> dict[str, float]:
        """Name -> number, now."""
        return self._cpu() | self._memory() | self._gpus()

    def _cpu(self) -> dict[str, float]:
        busy, whole = self._ticks()
        spent, (self._busy, self._whole) = (busy - self._busy, whole - self._whole), (busy, whole)
        return {"system/cpu_utilization_percentage": 100 * spent[0] / spent[1]} if spent[1] > 0 else {}

    def _ticks(self) -> tuple[int, int]:
        with suppress(OSError, ValueError):
            first = (self._proc / "stat").read_text().split("\n", 1)[0]
            ticks = [int(word) for word in first.split()[1:9]]  # guests' are counted under user and nice already
            return sum(ticks) - sum(ticks[3:5]), sum(ticks)  # idle and waiting for disks
        return 0, 0

    def _memory(self) -> dict[str, float]:
        with suppress(OSError, ValueError, KeyError, IndexError):
            lines = (self._proc / "meminfo").read_text().splitlines()
            kib = {line.split(":")[0]: int(line.split()[1]) for line in lines}
            used = kib["MemTotal"] - kib["MemAvailable"]
            return {
                "system/system_memory_usage_megabytes": used * 1024 / _MEBI,
                "system/system_memory_usage_percentage": 100 * used / kib["MemTotal"],
            }
        return {}

    def _gpus(self) -> dict[str, float]:
        """Those that this process may use, by their place among them; all where it has none, but its workers may."""
        if not self._smi:
            return {}
        wanted = os.environ.get("CUDA_VISIBLE_DEVICES")
        command = [self._smi, "--query-gpu=utilization.gpu,memory.used,memory.total", "--format=csv,noheader,nounits"]
        found: dict[str, float] = {}
        try:
            done = subprocess.run(
                [*command, *([f"--id={wanted}"] if wanted else [])], capture_output=True, text=True, timeout=_SECONDS
            )
            for i, line in enumerate(done.stdout.splitlines() if done.returncode == 0 else ()):
                busy, used, whole = (float(word) for word in line.split(","))
                found |= {
                    f"system/gpu_{i}_utilization_percentage": busy,
                    f"system/gpu_{i}_memory_usage_megabytes": used,
                    f"system/gpu_{i}_memory_usage_percentage": 100 * used / whole,
                }
        except FileNotFoundError:
            self._smi = ""  # no GPU will come
        except (OSError, ValueError, ZeroDivisionError, subprocess.SubprocessError):
            return {}
        return found
