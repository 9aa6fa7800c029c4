import asyncio
import threading

from handgrad.web.event_log import Event, EventLog


def steps(log: EventLog) -> list[int]:
    return [event["number"] for event in log.after(0) if event["event"] == "step"]


def test_later_events_only() -> None:
    log = EventLog()
    for number in range(5):
        log.append({"event": "step", "number": number})
    assert [event["id"] for event in log.after(3)] == [4, 5]
    assert log.after(5) == []


def test_too_many_events_are_thinned_out_and_the_latest_stays() -> None:
    log = EventLog(most=100)
    log.append({"event": "ended"})
    for number in range(10_000):
        log.append({"event": "step", "number": number})
        log.append({"event": "weights", "version": str(number)})
    kept = steps(log)
    assert 30 < len(kept) <= 100
    assert kept[-1] == 9999
    assert kept == sorted(kept)
    assert log.after(0)[0]["event"] == "ended"
    assert [event["version"] for event in log.after(0) if event["event"] == "weights"] == ["9999"]


def test_readers_get_everything_at_their_own_pace() -> None:
    log = EventLog()
    log.append({"event": "step", "number": 0})

    async def read(pause: float) -> list[int]:
        found = []
        async for event in log.follow():
            assert event is not None
            found.append(event["number"])
            await asyncio.sleep(pause)
        return found

    def write() -> None:
        for number in range(1, 50):
            log.append({"event": "step", "number": number})
        log.close()

    async def all_of_it() -> list[list[int]]:
        threading.Timer(0.05, write).start()
        return list(await asyncio.gather(read(0.0), read(0.002), read(0.0)))

    assert asyncio.run(all_of_it()) == [list(range(50))] * 3


def test_a_reader_hears_that_nothing_happens() -> None:
    async def first(log: EventLog) -> Event | None:
        async for event in log.follow(patience=0.01):
            return event
        raise AssertionError("it ended")

    assert asyncio.run(first(EventLog())) is None
