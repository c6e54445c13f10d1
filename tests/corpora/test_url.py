"""Corpora by address, from a web server on the loopback interface."""

import gzip
import hashlib
import io
import json
import lzma
import tarfile
import threading
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from seq2seq.config import Config
from seq2seq.corpora import fetching, url
from seq2seq.corpora.pairs import read_pairs
from seq2seq.errors import ConfigError, CorpusError, SourceUnavailable
from seq2seq.pipeline import STEPS, Job, ingredients, perform
from seq2seq.settings.corpus import CorpusSettings
from seq2seq.storage.artifacts import Workspace, write_text_atomically
from seq2seq.workspace.planning import plan

TEXTS = {
    f"{split}.{language}": "".join(f"{split} {language} {number}\n" for number in range(50))
    for split in ("train", "valid", "test")
    for language in ("de", "en")
}


class Web:
    """A server's files by path, how it treats requests, and what it was asked for."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {f"/{name}": text.encode() for name, text in TEXTS.items()}
        self.asked: list[tuple[str, str, str]] = []
        """Method, path and Range of each request."""
        self.sent: Counter[str] = Counter()
        """Bytes of content by path."""
        self.refuse: dict[str, int] = {}
        self.break_after: dict[str, int] = {}
        """Bytes after which the connection breaks, once."""
        self.says = ("ETag", "Last-Modified")
        self.etag = ""
        """Of all files; empty: each has that of its content."""
        self.modified = "Sun, 22 Nov 2026 09:00:00 GMT"
        self.address = ""

    def gets(self) -> list[str]:
        return [path for method, path, _ in self.asked if method == "GET"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    web: Web

    def do_HEAD(self) -> None:
        self.answer(send=False)

    def do_GET(self) -> None:
        self.answer(send=True)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def answer(self, send: bool) -> None:
        web, asked = self.web, self.headers.get("Range", "")
        web.asked.append((self.command, self.path, asked))
        content = web.files.get(self.path)
        if code := web.refuse.get(self.path) or (0 if content is not None else 404):
            return self.head(code, {"Content-Length": "0"})
        assert content is not None
        etag = web.etag or f'"{hashlib.sha256(content).hexdigest()[:16]}"'
        said = {"ETag": etag, "Last-Modified": web.modified}
        headers = {name: said[name] for name in web.says}
        if self.headers.get("If-None-Match") == etag:
            return self.head(304, headers)
        start = int(asked[6:-1]) if asked and self.headers.get("If-Range") == etag else 0
        if start and start >= len(content):
            return self.head(416, {"Content-Range": f"bytes */{len(content)}", "Content-Length": "0"})
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        self.head(206 if start else 200, headers | {"Content-Length": str(len(content) - start)})
        if send:
            end = web.break_after.pop(self.path, len(content))
            self.wfile.write(content[start:end])
            web.sent[self.path] += end - start
            self.close_connection = end < len(content)

    def head(self, code: int, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


@pytest.fixture
def web() -> Iterator[Web]:
    state = Web()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"web": state}))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    state.address = f"http://127.0.0.1:{server.server_port}"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def settings(web: Web, path: str = "/{split}.{language}", **more: Any) -> CorpusSettings:
    given = {"kind": "url", "address": web.address + path, "source_language": "de", "target_language": "en"}
    return CorpusSettings.model_validate(given | more)


Get = Callable[..., dict[str, list[str]]]


@pytest.fixture
def get(tmp_path: Path) -> Get:
    """Fetches a corpus, as a run does: pinned first; gives the source side of each split."""

    def fetch(corpus: CorpusSettings) -> dict[str, list[str]]:
        into = tmp_path / f"into-{len(list(tmp_path.iterdir()))}"
        into.mkdir()
        job = Job(into, tmp_path / "checkpoints", downloads=tmp_path / "workspace" / "downloads")
        fetching.fetch(fetching.pin(corpus), job)
        return {path.stem: read_pairs(path).frame["source"].tolist() for path in sorted(into.iterdir())}

    return fetch


def lines(name: str) -> list[str]:
    return TEXTS[name].splitlines()


EXPECTED = {"test": lines("test.de"), "train": lines("train.de"), "valid": lines("valid.de")}


def test_a_text_for_each_split_and_language(web: Web, get: Get) -> None:
    assert get(settings(web)) == EXPECTED


def test_compressed_texts(web: Web, get: Get) -> None:
    web.files = {f"/{name}.gz": gzip.compress(text.encode()) for name, text in TEXTS.items()}

    assert get(settings(web, "/{split}.{language}.gz")) == EXPECTED


def test_a_table_for_each_split(web: Web, get: Get) -> None:
    web.files = {
        f"/{split}.tsv": "\n".join(
            ["de\ten", *(f"{split} de {number}\t{split} en {number}" for number in range(50))]
        ).encode()
        for split in ("train", "valid", "test")
    }

    assert get(settings(web, "/{split}.tsv")) == EXPECTED


def packed(form: str, names: dict[str, str]) -> bytes:
    stream = io.BytesIO()
    if form == "zip":
        with zipfile.ZipFile(stream, "w") as archive:
            for name, text in names.items():
                archive.writestr(name, text)
    else:
        with tarfile.open(fileobj=stream, mode="w:gz") as tar:
            for name, text in names.items():
                info = tarfile.TarInfo(name)
                info.size = len(text.encode())
                tar.addfile(info, io.BytesIO(text.encode()))
    return stream.getvalue()


def encrypted(archive: bytes) -> bytes:
    """The zip file as one that wants a password: only its headers say so."""
    marked = bytearray(archive)
    for signature, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := marked.find(signature, at + 1)) >= 0:
            marked[at + place] |= 1
    return bytes(marked)


@pytest.mark.parametrize("form", ["zip", "tar.gz"])
def test_an_archive_whatever_its_folders_and_what_else_it_holds(form: str, web: Web, get: Get) -> None:
    members = {f"corpus/v1/{name}": text for name, text in TEXTS.items()} | {"../outside.de": "no", "README": "no"}
    web.files = {f"/all.{form}": packed(form, members)}

    assert get(settings(web, f"/all.{form}")) == EXPECTED


def test_an_archive_that_is_damaged_or_ambiguous_is_an_error(web: Web, get: Get) -> None:
    web.files = {
        "/bad.zip": packed("zip", TEXTS)[:-40],
        "/bad.tar.gz": packed("tar.gz", TEXTS)[:-40],
        "/bad.tar.xz": lzma.compress(b"text" * 1000)[:-20] + b"\0" * 20,
        "/locked.zip": encrypted(packed("zip", TEXTS)),
        "/two.zip": packed("zip", TEXTS | {"other/train.de": "other\n"}),
    }

    for path, said in (
        ("/bad.zip", "not a readable"),
        ("/bad.tar.gz", "not a readable"),
        ("/bad.tar.xz", "not a readable"),
        ("/locked.zip", "not a readable.*encrypted"),
        ("/two.zip", "more than one"),
    ):
        with pytest.raises(CorpusError, match=said):
            get(settings(web, path))


@pytest.mark.parametrize("form", ["zip", "tar.gz"])
def test_a_stem_that_an_archive_lacks_lists_those_that_it_holds(form: str, web: Web, get: Get) -> None:
    members = {"v1/Web.de-en.de": "eins\n", "v1/Web.de-en.en": "one\n", "v1/README": "no"}
    web.files = {f"/all.{form}": packed(form, members), f"/other.{form}": packed(form, {"german.txt": "eins\n"})}

    with pytest.raises(CorpusError) as caught:
        get(settings(web, f"/all.{form}"))
    assert str(caught.value) == (
        f"{web.address}/all.{form} has no train.de and train.en, nor a table train.tsv, .csv, .jsonl or .parquet (each "
        "may end in .gz). Stems there: Web.de-en. Set corpus.train to a stem that is there."
    )
    with pytest.raises(CorpusError, match=rf"all\.{form} has Web\.de-en\.de but no Web\.de-en\.ko: both sides"):
        get(settings(web, f"/all.{form}", train="Web.de-en", target_language="ko"))
    with pytest.raises(CorpusError, match=r"Files there: german\.txt\. .*: unpack the archive, .* = files\.$"):
        get(settings(web, f"/other.{form}"))


def test_what_did_not_change_is_not_sent_again(web: Web, get: Get) -> None:
    get(settings(web))
    web.files["/valid.de"] = web.files["/valid.de"].replace(b"valid", b"other")

    found = get(settings(web))

    assert found["valid"][0] == "other de 0"
    assert found["train"] == EXPECTED["train"]
    assert web.gets().count("/train.de") == 2
    assert web.sent["/train.de"] == len(web.files["/train.de"])
    assert web.sent["/valid.de"] == 2 * len(web.files["/valid.de"])


def test_the_same_file_uploaded_again_is_the_same_version_where_the_etag_is_of_its_content(web: Web, get: Get) -> None:
    before = fetching.pin(settings(web))
    get(settings(web))
    web.modified = "Mon, 23 Nov 2026 09:00:00 GMT"

    assert get(settings(web)) == EXPECTED
    assert fetching.pin(settings(web)) == before
    assert web.sent["/train.de"] == len(web.files["/train.de"])


def test_without_an_etag_the_time_of_an_upload_tells_a_new_version(web: Web) -> None:
    web.says = ("Last-Modified",)
    before = fetching.pin(settings(web))
    web.modified = "Mon, 23 Nov 2026 09:00:00 GMT"

    assert fetching.pin(settings(web)) != before


def test_a_download_that_broke_off_goes_on_where_it_stopped(web: Web, get: Get) -> None:
    web.break_after = {"/train.en": 100}
    with pytest.raises(SourceUnavailable, match="did not answer in full"):
        get(settings(web))

    assert get(settings(web)) == EXPECTED
    assert [asked for method, path, asked in web.asked if (method, path) == ("GET", "/train.en")] == ["", "bytes=100-"]


def test_a_download_whose_last_byte_came_before_the_process_ended_is_not_sent_again(
    web: Web, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(url, "file_sha256", lambda path: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            get(settings(web))

    assert get(settings(web)) == EXPECTED
    assert web.sent["/train.de"] == len(web.files["/train.de"])


def test_a_file_that_changed_after_the_download_broke_off_is_fetched_from_its_beginning(web: Web, get: Get) -> None:
    web.break_after = {"/train.de": 100}
    with pytest.raises(SourceUnavailable):
        get(settings(web))
    web.files["/train.de"] = web.files["/train.de"].replace(b"train", b"novel")

    assert get(settings(web))["train"] == [line.replace("train", "novel") for line in lines("train.de")]


def test_a_weak_etag_does_not_vouch_for_bytes_that_are_here(web: Web, get: Get) -> None:
    web.says, web.etag = ("ETag",), 'W/"as good"'
    web.break_after = {"/train.de": 100}
    with pytest.raises(SourceUnavailable):
        get(settings(web))
    web.files["/train.de"] = web.files["/train.de"].replace(b"train", b"novel")

    assert get(settings(web))["train"] == [line.replace("train", "novel") for line in lines("train.de")]


def test_the_revision_follows_the_content_and_the_identity_the_revision(web: Web) -> None:
    before = fetching.identity(fetching.pin(settings(web)))
    assert fetching.identity(fetching.pin(settings(web))) == before

    web.files["/test.de"] += b"more\n"

    assert fetching.identity(fetching.pin(settings(web))) != before


def test_a_copy_that_was_damaged_here_is_fetched_again(web: Web, get: Get, tmp_path: Path) -> None:
    get(settings(web))
    (copy,) = tmp_path.glob("workspace/downloads/*/train.de")
    copy.write_bytes(copy.read_bytes().replace(b"train", b"trian"))

    assert get(settings(web)) == EXPECTED


def test_a_server_that_refuses_head_is_asked_otherwise(web: Web, monkeypatch: pytest.MonkeyPatch, get: Get) -> None:
    monkeypatch.setattr(Handler, "do_HEAD", lambda self: self.head(405, {"Content-Length": "0"}))

    assert get(settings(web)) == EXPECTED


def test_content_that_changes_between_asking_and_fetching_is_not_taken_for_what_was_asked_for(
    web: Web, tmp_path: Path
) -> None:
    pinned = fetching.pin(settings(web))
    web.files["/train.de"] += b"more\n"
    web.files["/train.en"] += b"more\n"

    with pytest.raises(CorpusError, match="changed while it was fetched"):
        url.read(pinned, tmp_path / "downloads")


@pytest.mark.parametrize(
    ("code", "error"),
    [(404, CorpusError), (410, CorpusError), (403, CorpusError), (500, SourceUnavailable), (503, SourceUnavailable)],
)
def test_what_the_server_refuses_is_retried_only_if_it_may_pass(
    code: int, error: type[Exception], web: Web, get: Get
) -> None:
    web.refuse = {"/valid.en": code}

    with pytest.raises(error, match=rf"/valid\.en answers {code}"):
        get(settings(web))


def test_a_server_that_is_not_there_is_unavailable(get: Get) -> None:
    unused = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    unused.server_close()
    nowhere = Web()
    nowhere.address = f"http://127.0.0.1:{unused.server_port}"

    with pytest.raises(SourceUnavailable, match="did not answer in full"):
        get(settings(nowhere))


def sums(web: Web) -> dict[str, str]:
    return {path[1:]: hashlib.sha256(content).hexdigest() for path, content in web.files.items()}


def test_files_with_their_sums_need_no_network_once_they_are_here(web: Web, get: Get) -> None:
    corpus = settings(web, sha256=sums(web))
    assert get(corpus) == EXPECTED
    web.asked.clear()

    assert get(corpus) == EXPECTED
    assert web.asked == []
    elsewhere = corpus.model_copy(update={"address": "https://mirror.example/{split}.{language}"})
    assert fetching.identity(elsewhere) == fetching.identity(corpus)


def test_a_test_set_by_itself_needs_no_more_than_its_own_sums(web: Web, get: Get) -> None:
    corpus = settings(web, sha256=sums(web)).model_copy(update={"train": "", "valid": ""})
    of_train = corpus.model_copy(update={"sha256": sums(web) | {"train.de": "0" * 64}})

    assert get(corpus).keys() == {"test"}
    assert fetching.identity(corpus) == fetching.identity(of_train)


def test_a_file_with_another_sum_is_refused(web: Web, get: Get) -> None:
    corpus = settings(web, sha256=sums(web) | {"valid.de": "0" * 64})

    with pytest.raises(CorpusError, match=r"valid\.de has the SHA-256 [0-9a-f]{64}, and corpus\.sha256 says 0{64}"):
        get(corpus)


def test_a_server_that_says_nothing_of_its_files_needs_the_sums(web: Web, get: Get) -> None:
    web.says = ()
    with pytest.raises(CorpusError, match="neither ETag nor Last-Modified"):
        get(settings(web))

    assert get(settings(web, sha256=sums(web))) == EXPECTED


@pytest.mark.parametrize(
    ("path", "more", "said"),
    [
        ("/all", {}, r"has no \{split\} in it and is no archive"),
        ("/{split}", {}, r"has no \{language\} in it and is no table"),
        ("/{split}.{language}", {"sha256": {"tran.de": "0" * 64}}, r"corpus\.sha256 names tran\.de, but the files are"),
    ],
)
def test_an_address_that_does_not_say_what_is_what_is_an_error(
    path: str, more: dict[str, Any], said: str, web: Web
) -> None:
    with pytest.raises(ConfigError, match=said):
        fetching.identity(settings(web, path, **more))


def test_an_address_with_a_password_is_refused_since_it_would_be_written_down(web: Web) -> None:
    corpus = settings(web).model_copy(update={"address": "https://me:secret@example.org/{split}.{language}"})

    with pytest.raises(ConfigError, match="holds a name and a password") as caught:
        fetching.identity(corpus)

    assert "secret" not in str(caught.value)


def test_plan_asks_nobody_and_takes_the_version_that_was_fetched_last(web: Web, tmp_path: Path) -> None:
    workspace, config = Workspace(tmp_path), Config(corpus=settings(web))
    pinned = fetching.pin(config.corpus)
    provenance = ingredients(STEPS["fetch"], {"corpus": pinned}, {}, fetching.identity(pinned))
    record = perform(STEPS["fetch"], {"corpus": pinned}, {}, workspace, provenance)
    stored = json.dumps({"metadata": {}, "result": record.model_dump_json()})
    write_text_atomically(workspace.index_file("fetch", record.key), stored)
    revision_file = workspace.revision_file(fetching.identity(config.corpus))
    revision_file.parent.mkdir()
    revision_file.write_text(pinned.revision, encoding="utf-8")
    web.asked.clear()

    first = plan(config, workspace)[0]

    assert (first.name, first.answer) == ("fetch", "fresh")
    assert web.asked == []
    assert record.statistics["sha256"] == sums(web)
