"""HTTP requests and responses, with the names of Starlette."""

from __future__ import annotations

import json
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple
from urllib.parse import parse_qsl, urlsplit


class Headers(Mapping[str, str]):
    """Headers by name, in any case."""

    def __init__(self, raw: List[Tuple[str, str]]) -> None:
        self.raw = [(name.lower(), value) for name, value in raw]

    def __getitem__(self, name: str) -> str:
        values = self.getlist(name)
        if not values:
            raise KeyError(name)
        return ", ".join(values)

    def getlist(self, name: str) -> List[str]:
        """All values of a header."""
        return [value for key, value in self.raw if key == name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(name for name, _ in self.raw))

    def __len__(self) -> int:
        return len(dict.fromkeys(name for name, _ in self.raw))


class QueryParams(Mapping[str, str]):
    """Parameters of the query; the last value of a name counts."""

    def __init__(self, query: str) -> None:
        self._pairs = parse_qsl(query, keep_blank_values=True)
        self._last = dict(self._pairs)

    def __getitem__(self, name: str) -> str:
        return self._last[name]

    def getlist(self, name: str) -> List[str]:
        """All values of a parameter."""
        return [value for key, value in self._pairs if key == name]

    def multi_items(self) -> List[Tuple[str, str]]:
        """All pairs in their order."""
        return list(self._pairs)

    def __iter__(self) -> Iterator[str]:
        return iter(self._last)

    def __len__(self) -> int:
        return len(self._last)


class URL(str):
    """A URL with its parts."""

    @property
    def path(self) -> str:
        """The path."""
        return urlsplit(self).path

    @property
    def query(self) -> str:
        """The text behind the question mark."""
        return urlsplit(self).query

    @property
    def hostname(self) -> Optional[str]:
        """The name of the host."""
        return urlsplit(self).hostname

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return urlsplit(self).scheme


class Request:
    """An HTTP request whose body has been received. Reading methods are async, as Starlette's are."""

    def __init__(
        self,
        method: str,
        url: str,
        headers: List[Tuple[str, str]],
        body: bytes = b"",
        path_params: Optional[Dict[str, str]] = None,
    ) -> None:
        self.method = method
        self.url = URL(url)
        self.headers = Headers(headers)
        self.query_params = QueryParams(self.url.query)
        self.path_params = path_params or {}
        self._body = body

    @classmethod
    def _received(cls, place: Dict[str, Any]) -> "Request":
        headers = [(str(name), str(value)) for name, value in place["headers"]]
        body = place.get("body") or b""
        return cls(place["method"], place["url"], headers, bytes(body), place.get("params"))

    async def body(self) -> bytes:
        """The body as bytes."""
        return self._body

    async def json(self) -> Any:
        """The body parsed as JSON."""
        return json.loads(self._body)

    async def text(self) -> str:
        """The body as text."""
        return self._body.decode("utf-8")

    async def form(self) -> Dict[str, str]:
        """The fields of an urlencoded body."""
        return dict(parse_qsl(self._body.decode("utf-8"), keep_blank_values=True))

    async def stream(self) -> Any:
        """The body in one chunk."""
        yield self._body

    @property
    def cookies(self) -> Dict[str, str]:
        """Cookies by name."""
        pairs = (part.partition("=") for part in self.headers.get("cookie", "").split(";"))
        return {name.strip(): value.strip() for name, _, value in pairs if name.strip()}

    def __inserve__(self) -> Tuple[str, Dict[str, Any]]:
        raw = [[name, value] for name, value in self.headers.raw]
        return "q", {"method": self.method, "url": str(self.url), "headers": raw, "body": self._body}


class Response:
    """An HTTP response: ``content`` is text, bytes, or a value that is sent as JSON."""

    def __init__(
        self,
        content: Any = None,
        status_code: int = 200,
        headers: Optional[Mapping[str, str]] = None,
        media_type: Optional[str] = None,
    ) -> None:
        self.status_code = status_code
        self.headers: Dict[str, str] = {}
        if content is None:
            self.body = b""
            own_type = None
        elif isinstance(content, (bytes, bytearray, memoryview)):
            self.body = bytes(content)
            own_type = "application/octet-stream"
        elif isinstance(content, str):
            self.body = content.encode("utf-8")
            own_type = "text/plain; charset=utf-8"
        else:
            self.body = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
            own_type = "application/json"
        for name, value in (headers or {}).items():
            self.headers[name.lower()] = value
        if media_type is not None:
            self.headers["content-type"] = media_type
        elif own_type is not None:
            self.headers.setdefault("content-type", own_type)

    def __inserve__(self) -> Tuple[str, Dict[str, Any]]:
        return "p", {
            "status": self.status_code,
            "headers": [[name, value] for name, value in self.headers.items()],
            "body": self.body,
        }


def response_of(value: Any) -> Optional[Response]:
    """A response of this package, or of Starlette by duck typing; ``None`` for any other value."""
    if isinstance(value, Response):
        return value
    module = (type(value).__module__ or "").partition(".")[0]
    if module not in ("starlette", "fastapi") or not hasattr(value, "status_code"):
        return None
    body = getattr(value, "body", None)
    if not isinstance(body, (bytes, bytearray)):
        return None
    response = Response(bytes(body), value.status_code)
    response.headers = {
        name.decode("latin-1").lower(): text.decode("latin-1")
        for name, text in getattr(value, "raw_headers", [])
        if name.lower() != b"content-length"
    }
    return response
