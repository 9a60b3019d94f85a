"""Routes that take nothing on trust: JSON bodies only, no unknown or repeated query parameter."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic_core import from_json

from service.errors import Problem

Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class StrictRequest(Request):
    """A request whose JSON must be JSON: valid UTF-8, no NaN, no lone surrogates, not nested past
    200 levels.

    The standard library's reader would let the last three through.
    """

    async def json(self) -> Any:
        """The parsed body. Raises Problem 400 with the line and column of the mistake."""
        body = await self.body()
        try:
            return from_json(body, allow_inf_nan=False)
        except ValueError as error:
            raise Problem("malformed_json", f"the body is not JSON: {error}") from None


class StrictRoute(APIRoute):
    """A route that answers 400 to query parameters it does not declare and 415 to bodies that are
    not JSON.
    """

    def get_route_handler(self) -> Handler:
        """The route's handler behind the two checks."""
        handler = super().get_route_handler()
        known = _query_names(self.dependant)
        takes_body = self.body_field is not None

        async def checked(request: Request) -> Response:
            _check_query(request, known)
            if not takes_body:
                return await handler(request)
            _check_media_type(request)
            return await handler(StrictRequest(request.scope, request.receive))

        return checked


def _query_names(dependant: Dependant) -> set[str]:
    names = {field.alias for field in dependant.query_params}
    return names.union(*map(_query_names, dependant.dependencies))


def _check_query(request: Request, known: set[str]) -> None:
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name not in known:
            choice = f"known are {', '.join(sorted(known))}" if known else "none is known here"
            detail = f"{name!r} is not a query parameter; {choice}"
        elif names.count(name) > 1:
            detail = f"the query parameter {name} is given more than once"
        else:
            continue
        error = {"parameter": name, "detail": detail}
        raise Problem("unknown_parameter", detail, errors=[error])


def _check_media_type(request: Request) -> None:
    # Asking for JSON by name also keeps web pages of other origins out: a browser lets them post
    # forms and plain text without asking, JSON it does not.
    given = request.headers.getlist("content-type")
    media_type = given[0].partition(";")[0].strip().lower() if len(given) == 1 else ""
    if media_type != "application/json":
        raise Problem(
            "unsupported_media_type", "send JSON with the header Content-Type: application/json"
        )
