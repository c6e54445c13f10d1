"""The pictures in docs/screenshots/, taken from a real run on the demo corpus in headless Chromium.

    python -m benchmarks.screenshots [--out docs/screenshots] [--epochs 8] [--folder FOLDER]

Starts a Prefect server on a free port, trains a first champion on three quarters of the corpus and then the demo on
all of it, retrains (which compares the two), deploys, and photographs the pages. Needs `chromium` on PATH. With a
FOLDER for the server's data and the workspace, a second call takes new pictures of the runs that are there.
"""

import base64
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from cyclopts import run
from websockets.sync.client import ClientConnection, connect

from benchmarks.prefect_server import prefect_server
from benchmarks.timing import CHECKOUT, Command

CHROMIUM = (
    "chromium", "--headless", "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run", "--hide-scrollbars", "--remote-debugging-port=0",
)  # fmt: skip
SECONDS_TO_SHOW = 60.0
SECONDS_TO_SETTLE = 4.0
"""Drawings and animations go on for a while after the text is there."""
WIDTH = 1200


class Browser:
    """One page of a Chromium, steered by the DevTools protocol."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._number = 0
        self._session: str | None = None
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def shoot(self, address: str, height: int, awaited: str, into: Path, heading: str = "") -> None:
        """Photograph a page once it holds the text `awaited`, from `heading` on where one is given.

        Raises TimeoutError when the text does not come.
        """
        size = {"width": WIDTH, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._ask("Emulation.setDeviceMetricsOverride", **size)
        self._ask("Page.navigate", url=address)
        deadline = time.monotonic() + SECONDS_TO_SHOW
        while not self._evaluate(f"document.body.innerText.includes({json.dumps(awaited)})"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{address} did not show {awaited!r} within {SECONDS_TO_SHOW:g} s")
            time.sleep(0.5)
        if heading:
            found = f"[...document.querySelectorAll('h2')].find(one => one.textContent.includes({json.dumps(heading)}))"
            self._evaluate(f"{found}.scrollIntoView()")
        time.sleep(SECONDS_TO_SETTLE)
        picture = self._ask("Page.captureScreenshot", format="png")["data"]
        into.write_bytes(base64.b64decode(picture))

    def _evaluate(self, expression: str) -> Any:
        return self._ask("Runtime.evaluate", expression=expression)["result"].get("value")

    def _ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        self._connection.send(json.dumps(message | ({"sessionId": self._session} if self._session else {})))
        while True:
            answer: dict[str, Any] = json.loads(self._connection.recv(SECONDS_TO_SHOW))
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]  # type: ignore[no-any-return]  # JSON


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A Chromium that lives as long as the `with` block."""
    process = subprocess.Popen([*CHROMIUM, f"--user-data-dir={profile}"], stderr=subprocess.DEVNULL)
    try:
        told = profile / "DevToolsActivePort"
        while not told.is_file() or len(told.read_text().split()) < 2:
            if process.poll() is not None:
                raise RuntimeError(f"{CHROMIUM[0]} ended with code {process.returncode}")
            time.sleep(0.2)
        port, path = told.read_text().split()
        with connect(f"ws://127.0.0.1:{port}{path}", max_size=None) as connection:
            yield Browser(connection)
    finally:
        process.terminate()
        process.wait()


def main(out: Path = CHECKOUT / "docs" / "screenshots", epochs: int = 8, folder: Path | None = None) -> None:
    """Make the runs and take the pictures."""
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as passing, prefect_server((folder or Path(passing)) / "prefect") as environment:
        if not _found(environment["PREFECT_API_URL"], "deployments"):
            _make_runs(environment, (folder or Path(passing)) / "workspace", epochs)
        with browser(Path(passing) / "chromium") as page:
            for name, (place, height, awaited, heading) in _pictures(environment["PREFECT_API_URL"]).items():
                address = environment["PREFECT_API_URL"].removesuffix("/api") + place
                page.shoot(address, height, awaited, out / f"{name}.png", heading)
                print(f"{out / name}.png", file=sys.stderr)


def _make_runs(environment: Mapping[str, str], workspace: Path, epochs: int) -> None:
    demo = ("demo", "--workspace", workspace, "--set", f"training.max_epochs={epochs}")
    for words in (
        ("retrain", *demo, "--set", "corpus.train_pairs=9000"),
        ("train", *demo),
        ("retrain", *demo),
        ("deploy",),
    ):
        print(*words, file=sys.stderr)
        Command([sys.executable, "-m", "flows", *words], environment=environment).run()


def _pictures(api: str) -> dict[str, tuple[str, int, str, str]]:
    """Name of each picture: place in the UI, height in pixels, text to wait for, heading to begin at."""
    runs = {one["name"]: one["id"] for one in _found(api, "flow_runs")}
    pages = {one["key"]: one["latest_id"] for one in _found(api, "artifacts/latest")}
    deployments = {one["entrypoint"]: one["id"] for one in _found(api, "deployments")}
    on_demand = deployments["flows.train_translator.train_translator"]
    artifact = "/artifacts/artifact/{}".format
    return {
        "run": (f"/runs/flow-run/{runs['train demo']}", 1100, "Beginning flow run", ""),
        "training": (artifact(pages["demo-training"]), 900, "steps", ""),
        "evaluation": (artifact(pages["demo-evaluation"]), 1500, "Signature", ""),
        "attention": (artifact(pages["demo-evaluation"]), 900, "Signature", "Attention"),
        "comparison": (artifact(pages["demo-comparison"]), 1000, "p-value", ""),
        "deployment": (f"/deployments/deployment/{on_demand}/run", 1400, "Parameters", ""),
    }


def _found(api: str, what: str) -> list[dict[str, Any]]:
    request = urllib.request.Request(f"{api}/{what}/filter", b"{}", {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=SECONDS_TO_SHOW) as answer:
        return json.load(answer)  # type: ignore[no-any-return]  # JSON


if __name__ == "__main__":
    run(main)
