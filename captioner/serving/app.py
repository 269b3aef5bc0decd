"""The server's addresses: a page for people, JSON for programs.

GET  /               the page
POST /api/captions   photographs in, captions out
GET  /api/model      what captions, and how much it takes at a time
GET  /health         that it is up
GET  /openapi.json   this, for machines
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse
from fastapi.security import HTTPBearer
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from captioner import __version__
from captioner.errors import ImageError
from captioner.report.page import render
from captioner.serving.answers import (
    CaptionsAnswer,
    ErrorAnswer,
    HealthAnswer,
    ModelAnswer,
    PhotographAnswer,
    answer_done,
    answer_failed,
    choose_status,
    describe_ground,
    too_large_fault,
)
from captioner.serving.gate import HEALTH, PAGE_HEADERS, Gate, Rules
from captioner.serving.limits import Limits, RefusedError, Room
from captioner.serving.photographs import PhotographCaptioner, ServedModel
from captioner.serving.uploads import FIELD, Upload, read_uploads, too_large

_log = logging.getLogger(__name__)
Made = TypeVar("Made")

_CLIENT_GONE = 499  # nobody reads it; the number that proxies write for it
_RETRY_SECONDS = 2
_SCRIPTS = ("page_tools.js", "looks.js", "serve.js")
_BODY = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": [FIELD],
                "properties": {
                    FIELD: {"type": "array", "items": {"type": "string", "format": "binary"}}
                },
            }
        }
    },
}
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorAnswer, "description": "The upload is broken, or holds no photograph."},
    401: {"model": ErrorAnswer, "description": "The server asks for its token."},
    403: {"model": ErrorAnswer, "description": "The request comes from another web page."},
    408: {"model": ErrorAnswer, "description": "The upload took too long to arrive."},
    413: {
        "model": CaptionsAnswer | ErrorAnswer,
        "description": "Too large, too many, or no photograph that is small enough.",
    },
    415: {"model": ErrorAnswer, "description": "The body is no multipart form."},
    422: {
        "model": CaptionsAnswer | ErrorAnswer,
        "description": "None of the photographs can be captioned, or `n_best` is out of range.",
    },
    503: {"model": ErrorAnswer, "description": "The server is busy; ask again in a moment."},
}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request wants to know of each photograph.

    Args:
        num_captions: the best one included.
        with_looks: whether to say where their words looked.
    """

    num_captions: int
    with_looks: bool


def create_app(model: ServedModel, limits: Limits, rules: Rules) -> ASGIApp:
    """Returns the server as an ASGI application, behind its gate.

    Args:
        model: what to caption with.
        limits: how much to take at a time.
        rules: whom to answer.
    """
    captioner = PhotographCaptioner(model)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with captioner:
            yield

    app = FastAPI(
        title="captioner",
        version=__version__,
        summary="Captions photographs on this machine.",
        docs_url=None,  # both load their scripts from the network
        redoc_url=None,
        lifespan=lifespan,
        # The gate asks for the token; this describes how to send it.
        dependencies=[] if rules.token is None else [Depends(HTTPBearer(auto_error=False))],
    )
    _add_pages(app, model, limits)
    _add_captions(app, captioner, model, limits)
    _add_error_answers(app)
    return Gate(app, rules, render("locked.html", is_served=True))


def _add_pages(app: FastAPI, model: ServedModel, limits: Limits) -> None:
    info = ModelAnswer(
        model=model.name,
        version=__version__,
        n_best=model.n_best,
        attention=describe_ground(model.ground),
        max_file_bytes=limits.file_bytes,
        max_files=limits.num_files,
        max_body_bytes=limits.body_bytes,
    )
    page = render("serve.html", scripts=_SCRIPTS, is_served=True, info=info.model_dump())

    @app.head("/", include_in_schema=False)
    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def show_page() -> HTMLResponse:
        return HTMLResponse(page, headers=PAGE_HEADERS)

    @app.get("/favicon.ico", include_in_schema=False)
    async def show_icon() -> Response:
        return Response(status_code=204)

    @app.get("/api/model")
    async def describe_model() -> ModelAnswer:
        """What the server captions with, and how much it takes at a time."""
        return info

    @app.head(HEALTH, include_in_schema=False)
    @app.get(HEALTH)
    async def tell_health() -> HealthAnswer:
        """That the server is up. This alone is answered without a token."""
        return HealthAnswer()


def _add_captions(
    app: FastAPI, captioner: PhotographCaptioner, model: ServedModel, limits: Limits
) -> None:
    room = Room(limits)

    @app.post(
        "/api/captions",
        response_model=CaptionsAnswer,
        responses=_REFUSALS,
        openapi_extra={"requestBody": _BODY},
    )
    async def caption_photographs(
        request: Request,
        n_best: Annotated[
            int, Query(ge=1, le=model.n_best, description="Captions for each photograph.")
        ] = model.n_best,
        attention: Annotated[
            bool, Query(description="Whether to say where each word of each caption looked.")
        ] = False,
    ) -> Response:
        """Captions photographs. A bad one has an error of its own and does not fail the others.

        Where all are bad, the status is 413 or 422; with the header `Prefer: handling=lenient`
        (RFC 7240) it is 200 even then, and each result says what is wrong with its file.
        """
        _check_length(request, limits)
        with room.enter() as share:
            content_type = request.headers.get("content-type", "")
            uploads = await read_uploads(content_type, request.stream(), limits, share)
            wish = Wish(n_best, with_looks=attention)
            work = _caption_all(captioner, uploads, wish, limits)
            results = await _unless_gone(work, request)
        answer = CaptionsAnswer(model=model.name, results=results)
        is_lenient = "handling=lenient" in request.headers.get("prefer", "")
        status = choose_status(uploads, results, is_lenient=is_lenient)
        return JSONResponse(answer.model_dump(), status)


def _check_length(request: Request, limits: Limits) -> None:
    """Refuses a body before it arrives, where its length is announced."""
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > limits.body_bytes:
        raise too_large(limits)


async def _caption_all(
    captioner: PhotographCaptioner, uploads: Sequence[Upload], wish: Wish, limits: Limits
) -> list[PhotographAnswer]:
    async def caption_one(upload: Upload) -> PhotographAnswer:
        if upload.is_too_large:
            return answer_failed(upload.name, too_large_fault(limits))
        try:
            content = bytes(upload.content)
            caption, looks = await captioner.caption(content, with_looks=wish.with_looks)
        except ImageError as error:
            return answer_failed(upload.name, error.cause)
        except Exception:  # a defect, or no memory: the other photographs still get their answer
            _log.exception("A batch of photographs could not be captioned")
            return answer_failed(upload.name, "could not be captioned: the server had a fault")
        return answer_done(upload.name, caption, wish.num_captions, looks)

    return await asyncio.gather(*map(caption_one, uploads))


async def _unless_gone(work: Awaitable[Made], request: Request) -> Made:
    """Returns what `work` gives, or cancels it as soon as its client has gone.

    Raises:
        ClientDisconnect: the client has gone.
    """

    async def wait_until_gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    working = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(wait_until_gone())
    try:
        await asyncio.wait({working, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        for task in (working, gone):
            task.cancel()


def _add_error_answers(app: FastAPI) -> None:
    """Lets every error be told in the same way: as JSON, in words."""

    @app.exception_handler(RefusedError)
    async def tell_refusal(_: Request, error: RefusedError) -> JSONResponse:
        headers = {"Retry-After": str(_RETRY_SECONDS)} if error.status == 503 else None
        return JSONResponse({"error": str(error)}, error.status, headers)

    @app.exception_handler(RequestValidationError)
    async def tell_slip(_: Request, error: RequestValidationError) -> JSONResponse:
        faults = (f"{'.'.join(map(str, e['loc'][1:]))}: {e['msg']}" for e in error.errors())
        return JSONResponse({"error": "; ".join(faults)}, 422)

    @app.exception_handler(HTTPException)
    async def tell_other(request: Request, error: HTTPException) -> JSONResponse:
        text = f"{request.method} {request.url.path}: {error.detail}. See /openapi.json."
        return JSONResponse({"error": text}, error.status_code, error.headers)

    @app.exception_handler(ClientDisconnect)
    async def tell_nobody(_: Request, __: ClientDisconnect) -> Response:
        return Response(status_code=_CLIENT_GONE)
