"""What has to reach somebody else: kept on disk until it has, in the order it was put in.

A verdict that the works' system (MES) does not take is neither lost nor a reason to stop: it waits here, a file
each, and goes out before the next one does.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

from eis.errors import StoreError

FIRST_WAIT_S = 0.2
"""Wait before the second attempt (s); it doubles with each."""
Message = Mapping[str, Any]
Send = Callable[[Message], None]


@dataclass(frozen=True, slots=True)
class Outbox:
    """A folder of messages that have not arrived yet."""

    folder: Path

    def put(self, message: Message) -> Path:
        """Put a message on disk; it is there, whole, when this returns.

        Raises
        ------
        StoreError
            If it cannot be written, or is not plain JSON.
        """
        path = self.folder / f"{time.time_ns():020d}-{secrets.token_hex(4)}.json"
        partial = path.with_suffix(".partial")
        try:
            content = json.dumps(message, allow_nan=False).encode("ascii")
        except (TypeError, ValueError) as error:
            raise StoreError(
                f"A message cannot be kept: {error}", where=str(self.folder), mend="Give text, numbers, lists."
            ) from error
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with partial.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                partial.unlink(missing_ok=True)
            raise StoreError(
                f"A message cannot be kept: {error.strerror}", where=str(self.folder), mend="Free some space."
            ) from error
        return path

    def waiting(self) -> tuple[Path, ...]:
        """Return the messages that have not arrived, the oldest first."""
        return tuple(sorted(self.folder.glob("*.json"))) if self.folder.is_dir() else ()

    def flush(self, send: Send) -> str:
        """Send what waits, oldest first, until one does not arrive; return why, or an empty text if none is left.

        A file that is no message is set aside, its name ending in ``.unreadable``, and so is a message that is
        refused for good, in ``.refused``: it must not keep the others. A message arrives at least once: again if
        this process dies before it has removed the file.
        """
        try:
            for path, message in self.messages():
                try:
                    send(message)
                except RefusedError:
                    path.replace(path.with_suffix(".refused"))
                    continue
                except NotDeliveredError as error:
                    return str(error)
                except Exception as error:  # noqa: BLE001 - somebody else's function; the message stays
                    return f"{type(error).__name__}: {error}"
                path.unlink(missing_ok=True)
        except OSError as error:
            return f"the folder cannot be used: {error.strerror}"
        return ""

    def messages(self) -> Iterator[tuple[Path, dict[str, Any]]]:
        """Yield what waits, the oldest first, each with its file; what is no message is set aside."""
        for path in self.waiting():
            try:
                message = json.loads(path.read_bytes())
            except (ValueError, RecursionError):
                message = None
            if isinstance(message, dict):
                yield path, message
            else:
                path.rename(path.with_suffix(".unreadable"))


class NotDeliveredError(Exception):
    """Somebody else did not take a message; it is kept and tried again."""


class RefusedError(Exception):
    """Somebody else will never take a message; it is set aside."""


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follow no redirection: a POST would become a GET that delivers nothing, and take the token elsewhere."""

    def redirect_request(self, *words: Any, **options: Any) -> None:
        """Return nothing, so that the redirection is an answer like any other."""


def webhook(
    url: str,
    *,
    timeout_s: float = 5.0,
    retries: int = 3,
    token: str | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> Send:
    """Return what posts a message as JSON to `url`, tried again with doubling waits.

    Parameters
    ----------
    url : str
        ``http`` or ``https``.
    timeout_s : float
        For each attempt (s).
    retries : int
        Further attempts after the first.
    token : str, optional
        Sent as ``Authorization: Bearer``; never shown.
    sleep : callable
        Waits (s).
    """
    opener = urllib.request.build_opener(_Stay)

    def send(message: Message) -> None:
        if not url.startswith(("http://", "https://")):
            raise NotDeliveredError("the address is neither http nor https")
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        body = json.dumps(message, allow_nan=False).encode("ascii")
        because = ""
        for attempt in range(retries + 1):
            if attempt:
                sleep(FIRST_WAIT_S * 2 ** (attempt - 1))
            request = urllib.request.Request(url, body, headers, method="POST")  # noqa: S310 - checked above
            try:
                opener.open(request, timeout=timeout_s).close()  # nobody reads what it says
                return
            except HTTPError as error:
                because = f"it answered {error.code}"
                error.close()
                if error.code < 500 and error.code not in (408, 429):  # asking again would not help
                    break
            except (OSError, ValueError, HTTPException) as error:
                because = str(getattr(error, "reason", error)) or type(error).__name__
        raise NotDeliveredError(because)

    return send
