"""A plan in sentences."""

from __future__ import annotations

from segfrontier.basics.wording import many
from segfrontier.market.acts import EXISTING
from segfrontier.plan.study_plan import StudyPlan
from segfrontier.scenes.published import Published
from segfrontier.store import human_size
from segfrontier.study.cells import weights_asked
from segfrontier.study.pins import weights_sentences


def sentences(plan: StudyPlan) -> tuple[str, ...]:
    """What a plan says, a sentence or two a subject."""
    weights = weights_sentences(weights_asked(plan.study), (cell.cell.recipe for cell in plan.cells))
    first = (*_imagined(plan), *weights)
    lines = (*first, _cells(plan), _stages(plan), _annotation(plan), _existing(plan), _compute(plan), *_limits(plan))
    return tuple(sentence for sentence in lines if sentence)


def _imagined(plan: StudyPlan) -> list[str]:
    return [
        f"{ref} is not here: planned as {facts.about}, {_counts(facts)} of {facts.size[1]}x{facts.size[0]}, "
        f"{len(facts.classes)} classes. Import it before the study is run."
        for ref, facts in plan.imagined.items()
    ]


def _counts(facts: Published) -> str:
    return " and ".join(f"{count:,} {domain}/{split} scenes" for (domain, split), count in facts.scenes.items())


def _cells(plan: StudyPlan) -> str:
    done, text = sum(cell.done for cell in plan.cells), many(len(plan.cells), "cell")
    if done:
        text += f", {done} of them done already"
    if plan.stand_ins:
        text += f"; the search has still to choose the knobs of {plan.stand_ins}, random ones stand in"
    return f"{text}."


def _stages(plan: StudyPlan) -> str:
    if not plan.stages:
        return ""
    text = f"{many(len(plan.stages), 'stage')} instead of {plan.asked}"
    text += f": sharing saves {plan.saved} ({plan.saved / plan.asked:.0%})" if plan.saved else ": nothing is shared"
    stored = sum(stage.stored for stage in plan.stages.values())
    text += f"; {_are(stored)} stored already, {len(plan.stages) - stored} to compute."
    if guided := sum(cell.guided for cell in plan.cells):
        text += f" In {many(guided, 'cell')} stages build on what models have still to make, so there may be fewer."
    return text


def _annotation(plan: StudyPlan) -> str:
    bills = [cell.seconds for cell in plan.cells]
    if not any(bills):
        return "No annotation is bought."
    paid = sum(cell.seconds for cell in plan.cells if cell.done)
    money = "".join(f", {amount:,.0f} {currency}" for currency, amount in plan.money.items())
    largest = max(bills)
    text = (
        f"Annotation: {_hours(min(b for b in bills if b))} to {_hours(largest)} a cell; cells are alternatives, "
        f"each pays for all of its labels: {_hours(sum(bills))}{money} over all cells"
    )
    return f"{text}, {_hours(paid)} of it by cells that are done." if paid else f"{text}."


def _existing(plan: StudyPlan) -> str:
    """What of it was paid for elsewhere, in the cell that has most of it."""
    most = {k: max((c.acts[k].units for c in plan.cells if k in c.acts), default=0) for k in EXISTING.values()}
    if not any(most.values()):
        return ""
    parts = [f"{kind} up to {count}" for kind, count in most.items() if count]
    stated = max(
        c.prices.bill({k: t for k, t in c.acts.items() if k in most}) for c in plan.cells if c.prices is not None
    )
    return f"Labels that exist already, in a cell: {', '.join(parts)}; they took {stated:,} s elsewhere, in its hours."


def _compute(plan: StudyPlan) -> str:
    times = plan.times
    if plan.untimed:
        return f"Compute: not timed, for {plan.untimed}. Plan where there is a GPU, or once the images are here."
    if times is None or not (times.seconds or times.unknown):
        return ""
    total, side_by_side = sum(times.seconds.values()), plan.study.executor.parallel_cells or 1
    device = "GPU" if times.device.startswith("cuda") else "CPU"
    text = f"Compute: about {duration(total)} of one {device} process, by a probe on this machine"
    if times.by_parts:
        text += ", which tried large batches by a part"
    if side_by_side > 1:
        longest = max(sum(times.seconds.get(key, 0.0) for key in cell.stages) for cell in plan.cells)
        text += f"; at best {duration(max(longest, total / side_by_side))} with {side_by_side} cells side by side"
    if times.unknown:
        text += f"; {_are(len(times.unknown))} not in it, for the probe of their kind did not succeed"
    if times.by_parts:
        return f"{text}. Where there is a GPU, plan there: it tries steps as they are."
    return f"{text}. A process held up to {human_size(times.memory)} of {device} memory."


def _limits(plan: StudyPlan) -> list[str]:
    limits, new = plan.study.limits, sum(not cell.done for cell in plan.cells)
    lines = []
    if limits.cells is not None and limits.cells < new:
        lines.append(f"limits.cells lets {limits.cells} of the {new} cells begin in one run.")
    seconds = plan.compute_seconds
    gpu_hours = limits.gpu_hours if plan.times is not None and plan.times.device.startswith("cuda") else None
    for name, hours in (("hours", limits.hours), ("gpu_hours", gpu_hours)):
        if hours is not None and seconds is not None and seconds > hours * 3600:
            lines.append(f"limits.{name} = {hours:g} may end a run early: {duration(seconds)} one after another.")
    return lines


def duration(seconds: float) -> str:
    """`5400` as `90 min`; hours from 100 min on."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:,.1f} h"


def _hours(seconds: int) -> str:
    return f"{seconds / 3600:,.1f} h"


def _are(count: int) -> str:
    return {0: "none is", 1: "1 is"}.get(count, f"{count} are")
