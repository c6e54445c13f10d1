"""A Hub on the loopback interface, as far as `datasets` asks: `python hub_server.py FOLDER`.

FOLDER/OWNER/NAME/... holds the files of each dataset; every dataset has one commit, called main. The first line
printed is the port. A dataset called `unavailable` answers 503, `gated` and `forbidden` 403, and the files of `torn`
cannot be had.
"""

import hashlib
import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

RESOLVE = re.compile(r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)")
API = re.compile(r"/api/datasets/([^/]+/[^/]+)(?:/(revision|tree)/([^/?]+)(?:/([^?]*))?)?(?:\?.*)?")


def commit_of(dataset: Path) -> str:
    """Forty hexadecimal digits that depend on the files' names and bytes."""
    files = sorted(path for path in dataset.rglob("*") if path.is_file())
    return hashlib.sha1(
        b"".join(str(path.relative_to(dataset)).encode() + path.read_bytes() for path in files)
    ).hexdigest()


class Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    folder: Path

    def do_GET(self) -> None:
        if found := RESOLVE.fullmatch(self.path):
            self._resolve(*found.groups())
        elif found := API.fullmatch(self.path):
            self._api(*found.groups())
        else:
            self._answer(404)

    do_HEAD = do_GET

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def _dataset(self, name: str, revision: str) -> Path | None:
        """The dataset's folder, or None after an answer that says why there is none."""
        dataset = self.folder / name
        if dataset.name == "unavailable":
            self._answer(503)
        elif dataset.name == "gated":
            self._answer(403, {"X-Error-Code": "GatedRepo"})
        elif dataset.name == "forbidden":
            self._answer(403)
        elif not dataset.is_dir():
            self._answer(404, {"X-Error-Code": "RepoNotFound"})
        elif revision not in ("main", commit_of(dataset)):
            self._answer(404, {"X-Error-Code": "RevisionNotFound"})
        else:
            return dataset
        return None

    def _resolve(self, name: str, revision: str, file: str) -> None:
        if (dataset := self._dataset(name, revision)) is None:
            return
        commit = {"X-Repo-Commit": commit_of(dataset)}
        if not (dataset / file).is_file():
            self._answer(404, commit | {"X-Error-Code": "EntryNotFound"})
            return
        content = (dataset / file).read_bytes()
        if dataset.name == "torn" and self.command == "GET":
            self._answer(503)
            return
        self._answer(200, commit | {"ETag": f'"{hashlib.sha256(content).hexdigest()}"'}, content)

    def _api(self, name: str, kind: str | None, revision: str | None, below: str | None) -> None:
        if (dataset := self._dataset(name, revision or "main")) is None:
            return
        files = sorted(path for path in dataset.rglob("*") if path.is_file())
        if kind == "tree":
            self._tree(dataset, dataset / (below or ""))
            return
        about = {
            "id": name,
            "sha": commit_of(dataset),
            "siblings": [{"rfilename": str(path.relative_to(dataset))} for path in files],
            "private": False,
            "gated": False,
            "disabled": False,
            "tags": [],
            "downloads": 0,
            "likes": 0,
        }
        self._answer(200, {}, json.dumps(about).encode())

    def _tree(self, dataset: Path, base: Path) -> None:
        if not base.is_dir():
            self._answer(404, {"X-Error-Code": "EntryNotFound"})
            return
        paths = base.rglob("*") if "recursive=True" in self.path else base.iterdir()
        self._answer(200, {}, json.dumps([self._entry(path, dataset) for path in sorted(paths)]).encode())

    @staticmethod
    def _entry(path: Path, dataset: Path) -> dict[str, object]:
        kind = "directory" if path.is_dir() else "file"
        size = path.stat().st_size if path.is_file() else 0
        return {
            "type": kind,
            "oid": hashlib.sha1(str(path).encode()).hexdigest(),
            "size": size,
            "path": str(path.relative_to(dataset)),
        }

    def _answer(self, status: int, headers: dict[str, str] | None = None, content: bytes = b"{}") -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


if __name__ == "__main__":
    Hub.folder = Path(sys.argv[1])
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        print(server.server_port, flush=True)
        server.serve_forever()
