"""Requests to stop: taken by a flag, as often as they come, and only where they can be heeded."""

import os
import signal
import threading

import pytest
from test_training import trainer

from gradval.training.signals import STOP_SIGNALS, stop_requests


@pytest.mark.parametrize("number", STOP_SIGNALS, ids=lambda s: s.name)
def test_a_signal_sets_the_flag_and_does_nothing_else_however_often_it_comes(number):
    before = signal.getsignal(number)
    with stop_requests() as stop:
        assert not stop.is_set()
        for _ in range(3):
            os.kill(os.getpid(), number)
        assert stop.wait(10)
    assert signal.getsignal(number) is before


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stop_requests() as stop:
            os.kill(os.getpid(), signal.SIGINT)
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN and not stop.is_set()
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_threads_are_left_alone():
    found = []

    def body():
        with stop_requests() as stop:
            found.append(stop.is_set())

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert found == [False]


@pytest.mark.parametrize("number", STOP_SIGNALS, ids=lambda s: s.name)
def test_without_a_place_for_the_state_signals_do_what_they_always_do(number, monkeypatch):
    job, before = trainer(), signal.getsignal(number)
    take, during = job._take_step, []

    def step():
        during.append(signal.getsignal(number))
        take()

    monkeypatch.setattr(job, "_take_step", step)
    job.run()
    assert set(during) == {before}
