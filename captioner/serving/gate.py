"""Who may speak to the server: a gate in front of it, in the manner of ASGI middleware.

A web page anywhere can make its reader's browser send requests to 127.0.0.1. Three checks keep
such pages out: the Host header must name this server (against DNS rebinding), an Origin header
must be this server's own (against forged requests; there are no cookies to steal either), and a
server that others can reach asks for a token.
"""

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEALTH = "/health"
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'"
# A page carries a policy of its own, which cannot say this.
PAGE_HEADERS = {"Content-Security-Policy": "frame-ancestors 'none'"}


@dataclass(frozen=True)
class Rules:
    """Whom a gate lets pass.

    Args:
        host_names: what the Host header may name beside this machine itself.
        takes_addresses: whether it may be any numeric address. Such a header cannot come from
            a rebound name, and a server on several addresses does not know all of them.
        token: what requests must carry; None asks for none.
    """

    host_names: frozenset[str] = frozenset()
    takes_addresses: bool = False
    token: str | None = None

    def knows_host(self, header: str) -> bool:
        """Tells whether a Host header names this server, whatever the port."""
        name = _host_name(header)
        if name is None:
            return False
        if name in _LOOPBACK_NAMES or name in self.host_names:
            return True
        return self.takes_addresses and _is_address(name)

    def knows_token(self, given: str | None) -> bool:
        """Tells, in the same time for any token, whether it is the right one."""
        if self.token is None:
            return True
        return given is not None and hmac.compare_digest(_digest(given), _digest(self.token))


class Gate:
    """Checks every request, and puts security headers on every answer.

    Args:
        app: what stands behind the gate.
        rules: whom to let pass.
        locked_page: the page that asks a person for the token.
    """

    def __init__(self, app: ASGIApp, rules: Rules, locked_page: str) -> None:
        self._app = app
        self._rules = rules
        self._locked_page = locked_page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", _POLICY)
            await send(message)

        answer = self._refuse(scope, Headers(scope=scope))
        await (self._app if answer is None else answer)(scope, receive, send_guarded)

    def _refuse(self, scope: Scope, headers: Headers) -> Response | None:
        """Returns the answer to a request that must not pass, or None."""
        host = headers.get("host", "")
        if not self._rules.knows_host(host):
            return _say(
                421,
                f"This server does not go by the name {host!r}. Open it under the address that "
                "it printed, or start it with --allow-host.",
            )
        if not _is_own_origin(headers, host):
            return _say(403, "Requests from other web pages are not answered.")
        if scope["path"] != HEALTH and not self._rules.knows_token(_find_token(scope, headers)):
            return self._ask_for_token(headers)
        return None

    def _ask_for_token(self, headers: Headers) -> Response:
        wanted = {"WWW-Authenticate": "Bearer"}
        if "text/html" in headers.get("accept", ""):
            return HTMLResponse(self._locked_page, 401, wanted | PAGE_HEADERS)
        return _say(
            401,
            "This server asks for its token, which it printed when it started. Send it as the "
            "header `Authorization: Bearer TOKEN`.",
            wanted,
        )


def _say(status: int, text: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": text}, status, headers)


def _host_name(header: str) -> str | None:
    """Returns the name in a Host header, without port and brackets, or None if it is malformed."""
    try:
        return urlsplit(f"//{header}").hostname
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_own_origin(headers: Headers, host: str) -> bool:
    """Tells whether a request comes from a page of this server, or from no page at all."""
    origin = headers.get("origin")
    if origin is None:
        return True
    scheme, _, place = origin.partition("://")
    return scheme in ("http", "https") and place.lower() == host.lower()


def _find_token(scope: Scope, headers: Headers) -> str | None:
    """Returns the token of a request. An address that a person opens carries it as `?token=`."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return token.strip()
    if scope["method"] not in ("GET", "HEAD"):
        return None
    values: Iterable[str] = parse_qs(scope["query_string"].decode("latin-1")).get("token", ())
    return next(iter(values), None)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
