import threading
import time

import pytest

from vq_jax.data import ahead


@pytest.mark.parametrize("num_threads", [0, 1, 4])
def test_results_come_in_order(num_threads):
    def slow_at_first(item):
        time.sleep(0.01 if item % 7 == 0 else 0)
        return item * item

    found = ahead.in_order(slow_at_first, range(300), num_threads=num_threads)
    assert [*found] == [item * item for item in range(300)]


@pytest.mark.parametrize("num_threads", [0, 4])
def test_an_error_comes_after_all_that_is_before_it(num_threads):
    found, given = [], ahead.in_order(_fails_at_70, range(200), num_threads=num_threads)
    with pytest.raises(KeyError, match="70"):
        found.extend(given)
    assert found == [*range(70)]


def _fails_at_70(number):
    if number == 70:
        raise KeyError(number)
    return number


def test_slow_items_are_as_many_ahead_as_there_are_threads():
    started = []

    def slow(item):
        started.append(item)
        time.sleep(ahead.GROUP_SECONDS)
        return item

    given = ahead.in_order(slow, range(100), num_threads=3)
    for item in range(5):
        assert next(given) == item
        assert max(started) <= item + 3
    given.close()
    assert max(started) <= 4 + 3


def test_quick_items_are_handed_on_many_at_a_time(monkeypatch):
    submitted = []

    class Pool(ahead.ThreadPoolExecutor):
        def submit(self, fn, group):
            submitted.append(len(group))
            return super().submit(fn, group)

    monkeypatch.setattr(ahead, "ThreadPoolExecutor", Pool)
    monkeypatch.setattr(ahead, "GROUP_SECONDS", 60)
    given = ahead.in_order(abs, range(1_000), num_threads=2, most=50)
    assert [*given] == [*range(1_000)]
    assert submitted[0] == 1
    assert submitted[2:-1] == [50] * (len(submitted) - 3)


def test_nothing_is_read_before_it_is_asked_for_nor_in_the_caller_s_thread():
    threads = set()

    def where(item):
        threads.add(threading.get_ident())
        return item

    given = ahead.in_order(where, range(20), num_threads=2)
    assert not threads
    assert [*given] == [*range(20)]
    assert threading.get_ident() not in threads
