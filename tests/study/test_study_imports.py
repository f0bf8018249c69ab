"""A machine without Ray and MLflow runs studies in one process: importing what that takes loads neither."""

import subprocess
import sys


def test_running_a_study_here_imports_neither_ray_nor_mlflow():
    rooms = "segfrontier.study.run, segfrontier.plan.planning, segfrontier.tracking"
    code = f"import sys, {rooms}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"ray", "mlflow", "optuna"} & set(done.stdout.split())
