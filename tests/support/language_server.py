"""A small client for language servers over stdio: open a text, and ask for completions, hovers and diagnostics."""

import json
import queue
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE_S = 60.0


class LanguageServer:
    """A running server. Lines and columns count from 0, as the protocol has them."""

    def __init__(self, process: "subprocess.Popen[bytes]", folder: Path) -> None:
        self._process = process
        self._folder = folder
        self._answers: dict[int, queue.Queue[Any]] = {}
        self._diagnostics: dict[str, queue.Queue[list[dict[str, Any]]]] = {}
        self._number = 0
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        capabilities = {
            "textDocument": {
                "hover": {"contentFormat": ["markdown"]},
                "completion": {"completionItem": {"snippetSupport": True, "documentationFormat": ["markdown"]}},
                "publishDiagnostics": {},
            },
            "workspace": {"configuration": True, "workspaceFolders": True},
        }
        top = [{"uri": folder.as_uri(), "name": "folder"}]
        self.ask(
            "initialize",
            {"processId": None, "rootUri": folder.as_uri(), "capabilities": capabilities, "workspaceFolders": top},
        )
        self._send({"method": "initialized", "params": {}})

    def open(self, name: str, text: str) -> str:
        """Show the server a text as the file of that name; return its address."""
        uri = (self._folder / name).as_uri()
        self._diagnostics[uri] = queue.Queue()
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        return uri

    def diagnostics(self, uri: str) -> list[dict[str, Any]]:
        """Return what the server finds wrong with an opened text."""
        return self._diagnostics[uri].get(timeout=PATIENCE_S)

    def ask(self, method: str, params: dict[str, Any]) -> Any:
        """Return the answer to a request."""
        self._number += 1
        answer = self._answers[self._number] = queue.Queue()
        self._send({"id": self._number, "method": method, "params": params})
        return answer.get(timeout=PATIENCE_S)

    def completions(self, uri: str, line: int, column: int) -> list[dict[str, Any]]:
        """Return what is offered at a place."""
        found = self.ask("textDocument/completion", _at(uri, line, column))
        items: list[dict[str, Any]] = found["items"] if isinstance(found, dict) else found or []
        return items

    def hover(self, uri: str, line: int, column: int) -> str:
        """Return what is told of a place."""
        found = self.ask("textDocument/hover", _at(uri, line, column))
        contents = (found or {}).get("contents", "")
        return str(contents["value"] if isinstance(contents, dict) else contents)

    def _send(self, message: dict[str, Any]) -> None:
        data = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(data), data))
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        while header := self._process.stdout.readline():
            length = int(header.partition(b":")[2]) if header.lower().startswith(b"content-length") else 0
            while header.strip():
                header = self._process.stdout.readline()
            self._take(json.loads(self._process.stdout.read(length)))

    def _take(self, message: dict[str, Any]) -> None:
        method = message.get("method")
        if method == "textDocument/publishDiagnostics":
            found = self._diagnostics.get(message["params"]["uri"])
            if found is not None:
                found.put(message["params"]["diagnostics"])
        elif method is not None and "id" in message:  # the server asks us
            wanted = len(message.get("params", {}).get("items", ())) if method == "workspace/configuration" else 0
            answer = [{"validate": True, "hover": True, "completion": True} for _ in range(wanted)]
            self._send({"id": message["id"], "result": answer if wanted else None})
        elif method is None and message["id"] in self._answers:
            self._answers[message["id"]].put(message.get("result"))


def _at(uri: str, line: int, column: int) -> dict[str, Any]:
    return {"textDocument": {"uri": uri}, "position": {"line": line, "character": column}}


@contextmanager
def running(command: Sequence[str], folder: Path) -> Iterator[LanguageServer]:
    """Give a running server whose workspace is the folder, and end it."""
    pipe, nowhere = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=pipe, stderr=nowhere) as process:
        server = LanguageServer(process, folder)
        try:
            yield server
        finally:
            process.kill()
            server.reader.join()
