"""A Hugging Face hub of one repository on this machine: what `snapshot_download` asks of one."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMIT = "c0ffee" + "0" * 34


@contextmanager
def fake_hub(folder: Path, repo: str, *, damaged: str = "") -> Iterator[str]:
    """Address of a hub that serves a folder as ``repo``; ``damaged`` names a file with a wrong bit.

    The hub tells the checksums of the whole files: SHA-256 of safetensors, as git's LFS has it,
    and git's own SHA-1 of all others.
    """
    contents = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    entries = [_entry(name, content) for name, content in contents.items()]
    if damaged:
        content = bytearray(contents[damaged])
        content[-1] ^= 1
        contents[damaged] = bytes(content)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(repo, entries, contents))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _entry(name: str, content: bytes) -> dict[str, Any]:
    git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    entry: dict[str, Any] = {"type": "file", "path": name, "size": len(content), "oid": git}
    if name.endswith(".safetensors"):
        sha256 = hashlib.sha256(content).hexdigest()
        entry["lfs"] = {"oid": sha256, "size": len(content), "pointerSize": 134}
    return entry


def _handler(
    repo: str, entries: list[dict[str, Any]], contents: dict[str, bytes]
) -> type[BaseHTTPRequestHandler]:
    etags = {e["path"]: e["lfs"]["oid"] if "lfs" in e else e["oid"] for e in entries}
    info = {"id": repo, "sha": COMMIT, "siblings": [{"rfilename": name} for name in contents]}

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            path = self.path.partition("?")[0]
            name = path.rpartition("/")[2]
            headers = {"X-Repo-Commit": COMMIT}
            if path.startswith(f"/api/models/{repo}/revision/"):
                body = json.dumps(info).encode()
            elif path.startswith(f"/api/models/{repo}/tree/"):
                body = json.dumps(entries).encode()
            elif path.startswith(f"/{repo}/resolve/") and name in contents:
                body = contents[name]
                headers["ETag"] = f'"{etags[name]}"'
            else:
                self.send_response(404)
                self.send_header("X-Error-Code", "RepoNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(200)
            for key, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            if with_body:
                self.wfile.write(body)

    return Handler
