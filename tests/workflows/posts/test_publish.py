"""Orchestration of publishing: sleeping, hearing of changes, ending."""

from __future__ import annotations

from tests.workflows.posts.record import (
    continue_as_new,
    delete,
    lose_answer,
    publish_on_time,
    reschedule_earlier,
    reschedule_later,
    unschedule,
)
from tests.workflows.posts.runs import DAY, SLACK, PostRun
from workflows.posts.messages import PostLook, PostSweepReport
from workflows.posts.sweep import SweepPosts


async def test_a_post_is_published_when_its_time_has_come(run: PostRun) -> None:
    await publish_on_time(run)
    assert 3 * DAY <= run.published_after < 3 * DAY + SLACK
    assert (run.row.publications, run.row.looks) == (1, 2)


async def test_a_year_is_slept_through_in_one_piece(run: PostRun) -> None:
    handle = await run.schedule(365 * DAY)
    assert await handle.result() == PostLook("published")
    assert run.row.looks == 2


async def test_a_post_rescheduled_to_earlier_is_published_earlier(run: PostRun) -> None:
    await reschedule_earlier(run)
    assert 2 * DAY <= run.published_after < 2 * DAY + SLACK


async def test_a_post_rescheduled_to_later_is_not_published_at_its_first_time(
    run: PostRun,
) -> None:
    await reschedule_later(run)
    assert 9 * DAY <= run.published_after < 9 * DAY + SLACK
    assert run.row.publications == 1


async def test_a_change_that_nobody_told_of_is_found_when_the_run_wakes(run: PostRun) -> None:
    handle = await run.schedule(2 * DAY)
    await run.pass_time(DAY)
    run.row.due = run.started_at + 4 * DAY
    assert await handle.result() == PostLook("published")
    assert 4 * DAY <= run.published_after < 4 * DAY + SLACK


async def test_an_unscheduled_post_ends_its_run_at_once(run: PostRun) -> None:
    await unschedule(run)
    assert await run.environment.get_current_time() < run.started_at + 2 * DAY
    assert run.row.publications == 0


async def test_a_deleted_post_ends_its_run(run: PostRun) -> None:
    await delete(run)
    assert run.row.publications == 0


async def test_a_post_scheduled_anew_has_a_run_again(run: PostRun) -> None:
    await unschedule(run)
    handle = await run.schedule(5 * DAY)
    assert await handle.result() == PostLook("published")


async def test_a_worker_that_dies_after_it_has_published_does_not_publish_twice(
    run: PostRun,
) -> None:
    await lose_answer(run)
    assert (run.row.publications, run.row.looks) == (1, 3)


async def test_a_run_that_has_looked_often_goes_on_as_a_new_one(run: PostRun) -> None:
    await continue_as_new(run)
    assert run.row.publications == 1


async def test_the_sweep_is_one_step(run: PostRun) -> None:
    report = await run.environment.client.execute_workflow(
        SweepPosts.run, id="sweep", task_queue=run.queue
    )
    assert report == PostSweepReport(published=1)
