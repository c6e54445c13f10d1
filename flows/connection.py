"""Which Prefect server a command works with: the one that Prefect's settings name, or a temporary one of its own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from flows.temporary_server import TemporaryServer
from seq2seq.errors import Seq2SeqError, UserError

if TYPE_CHECKING:
    import httpx
    from prefect.client.orchestration import SyncPrefectClient

OLDEST_SERVER = "3.8.8"
"""The oldest Prefect that pyproject.toml admits, and so the oldest server that this was tested with."""
LOCAL_SERVER = "http://127.0.0.1:4200/api"
"""Where `make ui` starts a server."""
PROXY_SAYS_GONE = (502, 503, 504)
"""What a proxy answers in the place of a server that is gone."""
SECONDS_TO_ANSWER = 20.0
SECONDS_TO_SEND = 10.0


class ServerError(UserError):
    """Prefect's server cannot be used: it is not there, refuses us, or is not one that we can talk to."""


class ServerLost(Seq2SeqError):
    """Prefect's server stopped answering during the run."""


@contextmanager
def connection(otherwise: str = "") -> Iterator[None]:
    """Work with the configured server, checked with one request, or with one of our own that ends with the block.

    The server at the address `otherwise`, if one is given, takes the place of our own. Raises ServerError, and
    ServerLost when the server goes during the block.
    """
    with ExitStack() as stack:
        own = None if otherwise or may_be_configured() else _start(stack)
        from prefect.settings import get_current_settings

        settings = get_current_settings()
        if settings.api.url is None and otherwise:
            stack.enter_context(_changed("api", url=otherwise))
            check_version(_version(f"{otherwise} (where make ui starts one)", SECONDS_TO_ANSWER))
        elif settings.api.url is None:
            own = own or _start(stack)
            auth_string = settings.server.api.auth_string or settings.api.auth_string  # the server inherits its own
            stack.enter_context(_changed("api", url=own.url, auth_string=auth_string))
            stack.callback(_send_what_is_queued)
            _await(own, settings.server.ephemeral.startup_timeout_seconds)
        else:
            check_version(_version(f"{settings.api.url} ({_origin()})", SECONDS_TO_ANSWER))
        stack.enter_context(_changed("client", server_version_check_enabled=False))  # checked above
        stack.enter_context(_changed("flows", heartbeat_frequency=None))  # tasks/heartbeat.py does it
        with _noticing_its_loss():
            yield


@contextmanager
def _noticing_its_loss() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        import httpx
        from prefect.exceptions import PrefectHTTPStatusError

        behind_proxy = isinstance(error, PrefectHTTPStatusError) and error.response.status_code in PROXY_SAYS_GONE
        if not (isinstance(error, httpx.TransportError) or behind_proxy):
            raise
        raise ServerLost(
            f"Prefect's server stopped answering during the run: {_reason(error)}. What is done stays done: the same "
            "command goes on from there, once the server answers again or without one."
        ) from error


@contextmanager
def lasting_server() -> Iterator[SyncPrefectClient]:
    """A client of the configured server, or else of the one that `make ui` starts; raises ServerError."""
    with connection(otherwise=LOCAL_SERVER):
        from prefect.client.orchestration import get_client

        with get_client(sync_client=True) as client:
            yield client


def address_of(client: SyncPrefectClient) -> str:
    """The server's address as PREFECT_API_URL takes it."""
    return str(client.api_url).rstrip("/")


@contextmanager
def _changed(section: str, **values: object) -> Iterator[None]:
    """Other values in a section of Prefect's settings.

    Its own `temporary_settings` reads every place again that can hold settings, which takes a twentieth of a second.
    """
    from prefect.context import SettingsContext, get_settings_context

    context = get_settings_context()
    changed = getattr(context.settings, section).model_copy(update=values)
    with SettingsContext(profile=context.profile, settings=context.settings.model_copy(update={section: changed})):
        yield


def may_be_configured() -> bool:
    """Whether a server may be configured: then Prefect is asked, which takes a second to import.

    False only where none of the places that Prefect reads its settings from can name a server.
    """
    if "prefect" in sys.modules:
        return True
    variables = {"PREFECT_API_URL", "PREFECT_PROFILE", "PREFECT_PROFILES_PATH"}
    home = Path(os.environ.get("PREFECT_HOME", "~/.prefect")).expanduser()
    project = Path("pyproject.toml")
    return (
        any(name.upper() in variables for name in os.environ)
        or any(path.exists() for path in (home / "profiles.toml", Path("prefect.toml"), Path(".env")))
        or (project.exists() and b"tool.prefect" in project.read_bytes())
    )


def configured_address() -> str:
    """The address of the server that Prefect's settings name; empty where they name none."""
    if not may_be_configured():
        return ""
    from prefect.settings import get_current_settings

    return get_current_settings().api.url or ""


def _start(stack: ExitStack) -> TemporaryServer:
    print("starting a temporary Prefect server (PREFECT_API_URL names a lasting one)", file=sys.stderr, flush=True)
    server = TemporaryServer()
    stack.callback(server.stop)
    return server


def _await(server: TemporaryServer, seconds: float) -> None:
    """Wait until our own server answers."""
    try:
        _version("the temporary address", seconds)
    except ServerError as error:
        raise ServerError(
            f"The temporary Prefect server did not start ({seconds:g} s are allowed, "
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS says how many). Start a lasting one (make ui) and set "
            f"PREFECT_API_URL, or mend what stopped it: {server.diagnosis()}"
        ) from error


def _send_what_is_queued() -> None:
    """Let Prefect's threads deliver the logs and events that they hold, before the server goes."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    APILogWorker.drain_all(timeout=SECONDS_TO_SEND)
    EventsWorker.drain_all(timeout=SECONDS_TO_SEND)


def _version(server: str, seconds: float) -> str:
    """What the configured server says its version is; raises ServerError, which calls it `server`."""
    import httpx
    from prefect.client.base import ServerType
    from prefect.client.orchestration import get_client

    try:
        with (
            _changed("client", max_retries=0),
            get_client(sync_client=True, httpx_settings={"timeout": seconds}) as client,
        ):
            if client.server_type is ServerType.CLOUD:
                return client.client_version()  # Prefect's cloud serves every version
            version = client.api_version()
    except httpx.HTTPStatusError as error:
        raise ServerError(_refusal(server, error.response)) from error
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise ServerError(
            f"No Prefect server answers at {server}: {_reason(error)}. Start it (make ui), correct the "
            "address (PREFECT_API_URL), or unset it: a training without one starts a temporary server of its own."
        ) from error
    except ValueError as error:
        raise ServerError(_no_api(server)) from error
    if not isinstance(version, str):
        raise ServerError(_no_api(server))
    return version


def _reason(error: Exception) -> str:
    return str(error).rstrip(".") or type(error).__name__


def _refusal(server: str, response: httpx.Response) -> str:
    if response.status_code in (401, 403):
        return (
            f"The Prefect server at {server} refuses us ({response.status_code}): PREFECT_API_AUTH_STRING has to be "
            "what PREFECT_SERVER_API_AUTH_STRING is on the server."
        )
    if response.status_code == 404:
        return _no_api(server)
    return f"The Prefect server at {server} answers {response.status_code}: {response.text[:300]}"


def _no_api(server: str) -> str:
    return (
        f"{server} answers, but not as the API of a Prefect server does. Its address ends in /api by default, for "
        "example http://127.0.0.1:4200/api."
    )


def check_version(server_version: str) -> None:
    """Raise ServerError for a server that this Prefect cannot rely on; say so where it is only a little older."""
    import prefect
    from packaging.version import InvalidVersion, Version

    try:
        server, ours, oldest = Version(server_version), Version(prefect.__version__), Version(OLDEST_SERVER)
    except InvalidVersion:
        raise ServerError(f"The Prefect server says that its version is {server_version!r}, which is none.") from None
    if server.major != ours.major or server < oldest:
        raise ServerError(
            f"The Prefect server has version {server} and Prefect here {ours}: the server has to be {oldest} or later, "
            f"and of major version {ours.major}. Upgrade the older of them, or unset PREFECT_API_URL: a command "
            "without a server starts a temporary one of its own."
        )
    if server < ours:
        print(f"note: the Prefect server has version {server}, older than Prefect here, {ours}", file=sys.stderr)


def _origin() -> str:
    """Where the server's address was set, in words."""
    from prefect.context import get_settings_context
    from prefect.settings import PREFECT_API_URL

    if any(name.upper() == "PREFECT_API_URL" for name in os.environ):
        return "set by the environment variable PREFECT_API_URL"
    profile = get_settings_context().profile
    if PREFECT_API_URL in profile.settings:
        return f"set by the profile {profile.name} in {profile.source}"
    return "set by prefect.toml, pyproject.toml or .env of this folder"
