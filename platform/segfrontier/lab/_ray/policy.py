"""What follows from failed processes: pure decisions, so that they can be tested without any."""

from __future__ import annotations

from collections.abc import Mapping

from ray.exceptions import RayTaskError
from ray.train import PreemptionError

from segfrontier.errors import SegFrontierError, StageError


def verdict(failures: Mapping[int, BaseException], *, workers: int, retries_left: int) -> BaseException | None:
    """The error to raise after some workers failed (by rank), or None to try again from the last checkpoint.

    What SegFrontier raised, or Python where no process is lost, would come again: it is raised as it is. Lost processes
    and nodes are worth another attempt while there are attempts left; where there are several workers, a RuntimeError
    may be what Gloo or NCCL told one that lost another.
    """
    causes = [failures[rank] for rank in sorted(failures)]
    for error in causes:
        if isinstance(error, SegFrontierError):
            return error
    if not any(_is_rays(error) for error in causes):
        for error in causes:
            if workers == 1 or retries_left == 0 or not isinstance(error, RuntimeError):
                return error
    for error in causes:
        if _is_rays(error) and not lost(error):
            return unstarted(error)
    if retries_left > 0:
        return None
    gone = next(error for error in causes if lost(error))
    return StageError(
        f"training needs workers that stay alive; they were lost more often than max_failures allows, the last time "
        f"with: {first_line(gone)}. Look into the logs of Ray for why (memory?); run it again to go on from there."
    )


def taken_back(failures: Mapping[int, BaseException]) -> bool:
    """Whether workers ended because the provider took a node back, which says nothing of them. What the others of the
    group raise then is its echo.
    """
    return any(isinstance(e, PreemptionError) or getattr(e, "preempted", False) for e in failures.values())


def lost(error: BaseException) -> bool:
    """Whether an error says that a running process or a node is gone."""
    failed_inside = isinstance(error, RayTaskError) or getattr(error, "actor_init_failed", False)
    return _is_rays(error) and not failed_inside


def unstarted(error: BaseException) -> StageError:
    """What to tell where Ray could not even begin; the last line of its long error is the cause."""
    return StageError(
        f"processes on Ray must be able to import all that this one uses; one could not start: "
        f"{str(error).splitlines()[-1].strip()}. Install it on every node, or send it along (PYTHONPATH, or py_modules "
        f"in the runtime_env of the job)."
    )


def first_line(error: BaseException) -> str:
    """The gist of an error that tells of a lost process."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def _is_rays(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] == "ray"
