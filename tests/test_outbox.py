"""The outbox: a message leaves when it has arrived, not before, and in order."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from eis.errors import StoreError
from eis.outbox import NotDeliveredError, Outbox, RefusedError, webhook


@dataclass
class Works:
    """A works' system on this machine that answers as it is told; the last answer stands."""

    url: str = ""
    answers: list[int] = field(default_factory=lambda: [200])
    got: list[tuple[dict[str, str], Any]] = field(default_factory=list)


@pytest.fixture
def works() -> Iterator[Works]:
    told = Works()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.got.append((dict(self.headers), body))
            self.send_response(told.answers.pop(0) if len(told.answers) > 1 else told.answers[0])
            self.send_header("Location", told.url)
            self.end_headers()

        def log_message(self, *words: object) -> None:
            """Say nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        told.url = f"http://127.0.0.1:{server.server_address[1]}/verdicts"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield told
        server.shutdown()
        thread.join()


def test_a_message_that_is_refused_for_good_does_not_keep_the_others(tmp_path: Path) -> None:
    box, got = Outbox(tmp_path), []
    for n in range(3):
        box.put({"n": n})

    def send(message: Any) -> None:
        if message["n"] == 1:
            raise RefusedError("never")
        got.append(message["n"])

    assert box.flush(send) == ""
    assert (got, box.waiting()) == ([0, 2], ())
    assert [path.suffix for path in tmp_path.iterdir()] == [".refused"]


def test_nobody_there_keeps_the_message_and_says_why(tmp_path: Path) -> None:
    box = Outbox(tmp_path)
    box.put({"n": 1})
    waits: list[float] = []
    said = box.flush(webhook("http://127.0.0.1:1/", retries=2, sleep=waits.append))
    assert "refused" in said
    assert waits == [0.2, 0.4]
    assert len(box.waiting()) == 1


def test_what_does_not_arrive_holds_back_what_came_after_it(tmp_path: Path) -> None:
    box = Outbox(tmp_path)
    for n in range(3):
        box.put({"n": n})
    arrived: list[int] = []

    def send(message: Any) -> None:
        if message["n"] == 1:
            raise NotDeliveredError("full")
        arrived.append(message["n"])

    assert box.flush(send) == "full"
    assert arrived == [0]
    assert len(box.waiting()) == 2


def test_a_file_that_is_no_message_is_set_aside(tmp_path: Path) -> None:
    box = Outbox(tmp_path)
    (tmp_path / "00000000000000000000-torn.json").write_text('{"n": ')
    box.put({"n": 1})
    arrived: list[Any] = []
    assert box.flush(arrived.append) == ""
    assert arrived == [{"n": 1}]
    assert [path.name for path in tmp_path.iterdir()] == ["00000000000000000000-torn.unreadable"]


def test_a_message_that_cannot_be_kept_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreError, match="cannot be kept"):
        Outbox(tmp_path / "file").put({})


def test_a_server_in_trouble_is_asked_again_and_one_that_refuses_is_not(works: Works) -> None:
    works.answers = [503, 429, 200]
    webhook(works.url, sleep=lambda _: None)({"n": 1})
    assert len(works.got) == 3
    works.answers = [400]
    with pytest.raises(NotDeliveredError, match="answered 400"):
        webhook(works.url, sleep=lambda _: None)({"n": 2})
    assert len(works.got) == 4


def test_a_redirection_is_no_delivery_and_takes_no_token_elsewhere(works: Works) -> None:
    works.answers = [302]
    with pytest.raises(NotDeliveredError, match="answered 302"):
        webhook(works.url, token="secret-word", retries=0)({"n": 1})  # noqa: S106 - a test's own
    assert len(works.got) == 1


@pytest.mark.parametrize("error", [ConnectionError("away"), KeyError("a bug of the user's function")])
def test_whatever_a_user_s_function_raises_the_message_stays(tmp_path: Path, error: Exception) -> None:
    box = Outbox(tmp_path)
    box.put({"n": 1})

    def send(message: Any) -> None:
        raise error

    assert type(error).__name__ in box.flush(send)
    assert len(box.waiting()) == 1


def test_an_answer_that_is_no_http_is_no_delivery(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection = server.accept()[0]
            connection.sendall(b"no http at all\r\n\r\n")
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(NotDeliveredError):
            webhook(f"http://127.0.0.1:{server.getsockname()[1]}/", retries=0)({"n": 1})
        thread.join()


@pytest.mark.parametrize("message", [{"x": float("nan")}, {"x": object()}])
def test_what_is_no_plain_json_is_refused_and_leaves_nothing(tmp_path: Path, message: Any) -> None:
    with pytest.raises(StoreError, match="cannot be kept"):
        Outbox(tmp_path).put(message)
    assert list(tmp_path.iterdir()) == []


def test_the_token_goes_with_the_message_and_is_never_shown(works: Works) -> None:
    send = webhook(works.url, token="secret-word", retries=0)  # noqa: S106 - a test's own
    send({"cell": "A1"})
    headers, body = works.got[0]
    assert headers["Authorization"] == "Bearer secret-word"
    assert body == {"cell": "A1"}
    works.answers = [401]
    with pytest.raises(NotDeliveredError) as caught:
        send({"cell": "A2"})
    assert "secret" not in str(caught.value)


def test_messages_leave_in_the_order_they_came_in(tmp_path: Path, works: Works) -> None:
    box = Outbox(tmp_path)
    for n in range(5):
        box.put({"n": n})
    assert box.flush(webhook(works.url)) == ""
    assert [body["n"] for _, body in works.got] == [0, 1, 2, 3, 4]
    assert box.waiting() == ()
