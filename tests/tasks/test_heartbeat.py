"""Signs of life of a run."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from prefect import flow
from prefect.settings import temporary_settings

from tasks import heartbeat
from tasks.heartbeat import heartbeats

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def emitted(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The heartbeats that were emitted."""
    events: list[dict[str, Any]] = []
    monkeypatch.setattr(heartbeat, "SECONDS", 0.01)
    monkeypatch.setattr(heartbeat, "emit_event", lambda event, **details: events.append({"event": event} | details))
    return events


@contextmanager
def engine_silent() -> Iterator[None]:
    with temporary_settings({"flows.heartbeat_frequency": None}):
        yield


def test_a_run_beats_until_it_ends(emitted: list[dict[str, Any]]) -> None:
    @flow(name="patient")
    def wait_for_two() -> None:
        with heartbeats():
            while len(emitted) < 2:
                threading.Event().wait(0.01)

    with engine_silent():
        wait_for_two()

    assert {event["event"] for event in emitted} == {"prefect.flow-run.heartbeat"}
    assert emitted[0]["resource"]["prefect.resource.id"].startswith("prefect.flow-run.")
    assert emitted[0]["related"][0]["prefect.resource.name"] == "patient"
    count = len(emitted)
    threading.Event().wait(0.1)
    assert len(emitted) <= count + 1  # one may have been on its way


def test_where_prefects_engine_beats_we_are_silent(emitted: list[dict[str, Any]]) -> None:
    @flow
    def quick() -> None:
        with heartbeats():
            threading.Event().wait(0.05)

    quick()

    assert emitted == []


def test_outside_a_run_nothing_beats(emitted: list[dict[str, Any]]) -> None:
    with engine_silent(), heartbeats():
        threading.Event().wait(0.05)

    assert emitted == []
