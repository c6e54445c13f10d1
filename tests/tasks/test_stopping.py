"""Signals that ask a step to stop."""

import os
import signal
import threading

import pytest

from seq2seq.errors import TrainingInterrupted
from tasks import stopping
from tasks.stopping import StoppedBySignal, StopRequest, stop_on_signals


def stop_in_good_order(number: int) -> None:
    with stop_on_signals(StopRequest()) as stop:
        assert not stop()
        os.kill(os.getpid(), number)
        if stop():
            raise TrainingInterrupted("stopped at step 7")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_request_and_the_error_names_it(number: signal.Signals) -> None:
    before = signal.getsignal(number)

    with pytest.raises(StoppedBySignal, match="stopped at step 7") as raised:
        stop_in_good_order(number)

    assert raised.value.signal_number == number
    assert signal.getsignal(number) is before


def test_a_second_ctrl_c_stops_at_once() -> None:
    def ask_twice() -> None:
        with stop_on_signals(StopRequest()) as stop:
            os.kill(os.getpid(), signal.SIGINT)
            assert stop()
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        ask_twice()


def test_an_interruption_without_a_signal_stays_what_it_is() -> None:
    with pytest.raises(TrainingInterrupted) as raised, stop_on_signals(StopRequest()):
        raise TrainingInterrupted("asked for by a budget")

    assert type(raised.value) is TrainingInterrupted


def test_another_thread_installs_nothing() -> None:
    before = signal.getsignal(signal.SIGINT)
    seen: list[tuple[StopRequest, object]] = []

    def work() -> None:
        with stop_on_signals(StopRequest()) as stop:
            seen.append((stop, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    ((stop, handler),) = seen
    assert not stop()
    assert handler is before


def test_a_cancellation_in_the_ui_is_a_request_too(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([False, True])
    monkeypatch.setattr(stopping, "_is_cancelling", lambda: next(answers))
    monkeypatch.setattr(stopping, "POLL_SECONDS", 0.0)

    with stop_on_signals(StopRequest()) as stop:
        assert [stop(), stop(), stop()] == [False, True, True]


def test_the_server_is_not_asked_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "_is_cancelling", lambda: pytest.fail("asked too soon"))

    with stop_on_signals(StopRequest()) as stop:
        assert not any(stop() for _ in range(1000))


def test_a_server_that_does_not_answer_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[None] = []
    monkeypatch.setattr(stopping, "_is_cancelling", lambda: asked.append(None))
    monkeypatch.setattr(stopping, "POLL_SECONDS", 0.0)

    with stop_on_signals(StopRequest()) as stop:
        assert not any(stop() for _ in range(1000))
    assert len(asked) == 1
