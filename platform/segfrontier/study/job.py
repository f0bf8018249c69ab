"""The Ray job that this process is the driver of, where `ray job submit` started it, and what a job asks of its home.

Ray deletes a job's working directory when the job has ended, so results must lie elsewhere: where they outlive the job,
and where every node of the cluster sees them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from segfrontier.errors import BadStudy

_CONFIG, _METADATA, _ID = "RAY_JOB_CONFIG_JSON_ENV_VAR", "metadata", "job_submission_id"
_PACKAGES = "runtime_resources"
"""The part of a path by which Ray's own copies of submitted folders are known."""
WAY_OUT = "Give --home a folder on a file system that all nodes share, e.g. --home /shared/runs."


def this_job(environment: Mapping[str, str] = os.environ) -> str:
    """The submission id of the job whose driver this process is; empty outside of a job."""
    try:
        plain = json.loads(environment.get(_CONFIG, ""))
    except ValueError:
        return ""
    metadata = plain.get(_METADATA) if isinstance(plain, dict) else None
    found = metadata.get(_ID) if isinstance(metadata, dict) else None
    return found if isinstance(found, str) else ""


def require_lasting(home: Path, environment: Mapping[str, str] = os.environ) -> None:
    """Refuse a home that would go with the job."""
    if not this_job(environment):
        return
    if not home.is_absolute():
        raise BadStudy(
            f"the home of a job must be an absolute path; {home} lies in the folder that Ray deletes with the job. "
            f"{WAY_OUT}"
        )
    if _PACKAGES in home.resolve().parts:
        raise BadStudy(f"the home of a job must outlive it; Ray deletes {home} with the job. {WAY_OUT}")
