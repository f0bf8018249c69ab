"""Studies that share a cluster take turns: the rule, and what a real Ray tells of who waits."""

import pytest
import ray
from ray.util.placement_group import placement_group, remove_placement_group
from waiting import until

from segfrontier.lab._ray.turns import PATIENCE, PAUSE, Reservation, Turns, _groups, owes_a_turn, turns


def placed(job, cpus):
    return Reservation(job, cpus, placed=True)


def waiting(job, cpus):
    return Reservation(job, cpus, placed=False)


@pytest.mark.parametrize(
    ("groups", "cpus", "owes"),
    [
        ([], 3, False),
        ([placed("b", 1)], 3, False),  # it has what it wants
        ([waiting("a", 1)], 3, False),  # its own
        ([waiting("b", 1)], 3, True),
        ([waiting("b", 1)], 1, True),  # one CPU goes to and fro
        ([placed("b", 1), waiting("b", 1)], 2, True),  # so does the odd one of three
        ([placed("b", 1), waiting("b", 1)], 1, False),  # less than its share
        ([placed("b", 2), waiting("b", 1)], 2, False),
        ([placed("b", 3), waiting("b", 1), waiting("c", 1)], 2, True),  # not for b, but for c
        ([waiting("b", 4)], 3, False),  # would hold more
        ([waiting("b", 0.01), placed("b", 0.9)], 1, True),
    ],
)
def test_a_study_owes_a_turn_to_who_would_hold_no_more_than_itself(groups, cpus, owes):
    assert owes_a_turn(groups, "a", cpus) is owes


@pytest.mark.parametrize(("slots", "shares"), [(1, [10, 10]), (2, [20, 20]), (3, [30, 30]), (4, [40, 40])])
def test_two_hungry_studies_get_about_as_much_each_wherever_it_begins(slots, shares):
    """All CPUs are the first one's; each round the oldest cell ends, and whoever may begins one."""
    running, done = ["a"] * slots, {"a": 0, "b": 0}
    for _ in range(sum(shares)):
        job = running.pop(0)
        done[job] += 1
        other = "ab"[job == "a"]
        groups = [placed(other, 1)] * running.count(other) + [waiting(other, 1)]
        running.append(other if owes_a_turn(groups, job, running.count(job) + 1) else job)
    assert abs(done["a"] - done["b"]) <= slots and sum(done.values()) == sum(shares)


def test_patience_ends_and_a_pause_follows():
    now, groups = [100.0], [waiting("b", 1)]
    one = Turns(lambda: list(groups), "a", clock=lambda: now[0])

    def after(seconds):
        now[0] += seconds
        return one.hold_back(1)

    assert after(0) and after(PATIENCE - 0.5), "it holds back"
    assert not after(0.5), "but not for ever"
    assert not after(PAUSE - 0.5), "nor at once again"
    assert after(0.5), "later it does"
    groups.clear()
    assert not after(1), "nobody waits any more"
    groups.append(waiting("c", 1))
    assert after(PATIENCE) and after(PATIENCE - 0.5), "a new one has the whole time"


@pytest.mark.ray
def test_ray_tells_whose_groups_have_their_cpus_and_whose_wait(ray_here):
    """Its public table does not say whose they are: what is read instead must be there in this version."""
    mine = ray.get_runtime_context().get_job_id()
    has, waits = placement_group([{"CPU": 1}]), placement_group([{"CPU": 1.5}, {"CPU": 2}])
    try:
        ray.get(has.ready())
        assert {g for g in _groups() if g.job == mine} == {placed(mine, 1.0), waiting(mine, 3.5)}
        assert not turns().hold_back(0.0), "its own wish keeps nobody waiting"
    finally:
        remove_placement_group(has)
        remove_placement_group(waits)
    assert until(lambda: not any(g.job == mine for g in _groups()), 10), "what was given back counts no more"
