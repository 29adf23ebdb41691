"""Jobs at set times: when they are due, and that each time begins one run."""

import pytest
from tests.kernel.compute.test_runner import House, find, house
from tests.nodes import refused

from yunmeng.kernel.base import instant_us, load_settings
from yunmeng.kernel.compute import Run, Scheduler, appointments, read_runs, schedule
from yunmeng.kernel.store import open_objects

__all__ = ["house"]

DAY_US = 86_400_000_000


@pytest.mark.parametrize(
    ("every", "at", "newest"),
    [
        ("P1D", "2026-11-22T08:15:00+08:00", "2026-11-22T00:00:00+08:00"),
        ("P1D", "2026-11-22T00:00:00+08:00", "2026-11-22T00:00:00+08:00"),
        ("P1W", "2026-11-22T23:59:59+08:00", "2026-11-16T00:00:00+08:00"),
        ("PT6H", "2026-11-22T11:59:59+08:00", "2026-11-22T06:00:00+08:00"),
        ("PT15M", "2026-11-22T11:59:59+08:00", "2026-11-22T11:45:00+08:00"),
    ],
)
def test_days_and_weeks_begin_when_people_begin_them(every: str, at: str, newest: str) -> None:
    (one,) = appointments({"test.count": every}, find)
    assert one.newest(instant_us(at)) == instant_us(newest)


@pytest.mark.parametrize(
    ("job", "text", "key"),
    [
        ("test.count", "daily", "job.schedule"),
        ("test.count", "PT59S", "job.schedule"),
        ("test.count", "", "job.schedule"),
        ("test.count", "P1D?to=many", "job.input"),
        ("test.count", "P1D?until=9", "job.input"),
        ("test.nothing", "P1D", "job.unknown"),
    ],
)
def test_what_is_no_schedule_is_refused(job: str, text: str, key: str) -> None:
    with refused(key):
        appointments({job: text}, find)


def test_a_schedule_is_read_from_a_file_and_the_command_line(tmp_path) -> None:
    file = tmp_path / "yunmeng.toml"
    file.write_text('[schedule]\nwater.permits = "P1D"\n"water.check" = "PT1H?hours=24"\n')
    settings = load_settings(file, env={}, overrides=["schedule.water.check=PT2H?hours=48"])
    assert settings.schedule == {"water.permits": "P1D", "water.check": "PT2H?hours=48"}


async def runs(house: House) -> list[Run]:
    return [run for run in await read_runs(house.state) if run.principal == schedule.SCHEDULER]


@pytest.mark.asyncio(loop_scope="module")
async def test_each_time_begins_one_run_and_old_ones_are_dropped(house: House, monkeypatch) -> None:
    monkeypatch.setattr(schedule, "KEPT", 2)
    objects = open_objects(house.settings)
    held = appointments({"test.count": "P1D?to=3"}, find)
    scheduler = Scheduler(house.bus, house.state, objects, held)
    noon = instant_us("2026-11-22T12:00:00+08:00")
    async with house.runner():
        await scheduler.look(noon)
        assert await runs(house) == [], "the first time is the next one"
        for day in range(1, 5):
            for _ in range(2):
                await scheduler.look(noon + day * DAY_US)
            newest = (await runs(house))[0]
            done = await house.ended(newest.id)
            assert (done.state, done.inputs, done.result["counted"]) == ("done", {"to": "3"}, 3)
            assert len(await runs(house)) == min(day, 2)
    kept = {file.key for run in await runs(house) for file in run.files}
    assert {info.key for info in await objects.list()} == kept
    await objects.close()


@pytest.mark.asyncio(loop_scope="module")
async def test_what_still_goes_is_not_begun_again(house: House, tmp_path) -> None:
    pids, go = tmp_path / "pids", tmp_path / "go"
    held = appointments({"test.wait": f"PT1H?pids={pids}&go={go}"}, find)
    objects = open_objects(house.settings)
    scheduler = Scheduler(house.bus, house.state, objects, held)
    noon = instant_us("2026-11-22T12:00:00+08:00")
    before = len(await runs(house))
    async with house.runner():
        for hour in range(3):
            await scheduler.look(noon + hour * DAY_US // 24)
        (going,) = (await runs(house))[: len(await runs(house)) - before]
        assert not going.ended
        go.touch()
        assert (await house.ended(going.id)).state == "done"
    await objects.close()
