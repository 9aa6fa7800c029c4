"""On how many threads a program runs follows from what it takes there."""

from collections.abc import Callable

from handgrad.ops.fused.pace import Pace


def run(pace: Pace, runs: int, together: Callable[[int], float], alone: float) -> tuple[float, int]:
    """The seconds that so many runs take, and how many of them one thread does."""
    seconds, count = 0.0, 0
    for number in range(runs):
        took = alone if pace.alone else together(number)
        count += pace.alone
        seconds += took
        pace.note(took)
    return seconds, count


def test_on_an_idle_machine_all_threads_work_but_for_a_trial_now_and_then() -> None:
    assert run(Pace(), 20_000, lambda _: 0.001, alone=0.0018)[1] <= 3 * 16


def test_a_program_that_gains_nothing_from_threads_runs_on_one() -> None:
    assert run(Pace(), 20_000, lambda _: 0.002, alone=0.0018)[1] > 18_000


def test_a_rare_stall_is_no_reason_to_work_alone() -> None:
    seconds, alone = run(Pace(), 10_000, lambda n: 0.02 if n % 100 == 99 else 0.001, alone=0.0018)
    assert alone <= 64
    assert seconds <= 10_000 * (0.001 + 0.02 / 100) * 1.02


def test_beside_a_busy_neighbour_one_thread_works() -> None:
    seconds, alone = run(Pace(), 10_000, lambda _: 0.05, alone=0.003)
    assert alone > 9500
    assert seconds < 1.5 * 10_000 * 0.003


def test_a_short_training_beside_a_busy_neighbour_does_not_begin_by_waiting_for_it() -> None:
    seconds, alone = run(Pace(), 600, lambda _: 0.0037, alone=0.00003)
    assert alone > 590
    assert seconds < 600 * 0.00003 + 4 * 0.0037  # one run on all threads in each trial of them


def test_a_large_program_is_tried_on_all_threads_first() -> None:
    assert run(Pace(large=True), 64, lambda _: 0.01, alone=0.019)[1] == 0  # all batches of a test set, say
    assert run(Pace(large=True), 1000, lambda _: 0.05, alone=0.003)[1] > 900


def test_few_long_runs_on_one_thread_tell_enough() -> None:
    assert run(Pace(), 30, lambda _: 0.01, alone=0.019)[1] == 2
    assert run(Pace(large=True), 1000, lambda _: 0.01, alone=0.019)[1] == 1


def test_the_first_run_does_not_count() -> None:
    pace = Pace()
    pace.note(10.0)  # seconds in which memory was touched for the first time
    assert run(pace, 100, lambda _: 0.05, alone=0.003)[1] > 60


def test_a_neighbour_who_is_there_at_times_only() -> None:
    pace = Pace()
    run(pace, 2000, lambda _: 0.001, alone=0.0018)
    assert not pace.alone
    assert run(pace, 4000, lambda _: 0.05, alone=0.0018)[1] > 3800
    assert run(pace, 20_000, lambda _: 0.001, alone=0.0018)[1] <= 8192
    assert not pace.alone


def test_what_one_thread_took_long_ago_is_forgotten() -> None:
    pace = Pace()
    run(pace, 200, lambda _: 0.01, alone=0.1)  # tried while all was slow
    run(pace, 10_000, lambda _: 0.001, alone=0.0018)
    assert run(pace, 4000, lambda _: 0.05, alone=0.0018)[1] > 3500


def test_a_slow_trial_of_all_threads_is_broken_off() -> None:
    pace = Pace()
    run(pace, 5000, lambda _: 0.05, alone=0.001)
    while pace.alone:
        pace.note(0.001)
    assert run(pace, 10, lambda _: 0.05, alone=0.001)[1] == 8  # 64 runs on one thread take 0.064 s
