"""What follows from failed workers: a pure decision, so that it can be tested without any."""

from __future__ import annotations

from collections.abc import Mapping

from segfrontier.errors import SegFrontierError, StageError


def verdict(failures: Mapping[int, BaseException], *, workers: int, retries_left: int) -> BaseException | None:
    """The error to raise after some workers failed (by rank), or None to try again from the last checkpoint.

    What SegFrontier raised, or Python where no process is lost, would come again: it is raised as it is. Ray's errors
    tell of lost processes and nodes; where there are several workers, a RuntimeError may be what Gloo or NCCL told one
    that lost another. Both are worth another attempt while there are attempts left.
    """
    causes = [failures[rank] for rank in sorted(failures)]
    for error in causes:
        if isinstance(error, SegFrontierError):
            return error
    lost = [error for error in causes if type(error).__module__.partition(".")[0] == "ray"]
    if not lost:
        for error in causes:
            if workers == 1 or retries_left == 0 or not isinstance(error, RuntimeError):
                return error
    if retries_left > 0:
        return None
    return StageError(
        f"training needs workers that stay alive; they were lost more often than max_failures allows, the last time "
        f"with: {first_line(lost[0])}. Look into the logs of Ray for why (memory?); run it again to go on from there."
    )


def first_line(error: BaseException) -> str:
    """The gist of an error of Ray's, which may fill a page."""
    return next(iter(str(error).splitlines()), type(error).__name__)
