"""Keys over REST: for callers with the scope admin and every graph."""

from __future__ import annotations

from fastapi import APIRouter, Response

from service.dependencies import ServiceParts
from service.openapi import problems
from service.records import json_reply, key_record
from service.replies import KeyList, KeyOut, NewKeyOut
from service.schemas import NewKey
from service.strict import StrictRoute

router = APIRouter(prefix="/v1/keys", tags=["keys"], route_class=StrictRoute)

_STORE = ("data_folder",)


@router.get("", response_model=KeyList, responses=problems(*_STORE))
async def list_keys(service: ServiceParts) -> Response:
    """Every key without its secret, revoked ones included."""
    return await service.lanes.read(
        lambda: json_reply({"keys": [key_record(key) for key in service.keys.all()]})
    )


@router.post(
    "",
    status_code=201,
    response_model=NewKeyOut,
    responses=problems(
        "malformed_request",
        "malformed_json",
        "body_too_large",
        "unsupported_media_type",
        "invalid_request",
        *_STORE,
    ),
)
async def create_key(body: NewKey, service: ServiceParts) -> Response:
    """Make a key. Its secret is in this reply and nowhere else.

    Once there is a key, nobody comes in without one: make the first with the scope `admin`.
    """

    def work() -> Response:
        key, secret = service.keys.create(body.name, body.scope, body.graphs)
        return json_reply({**key_record(key), "key": secret}, 201)

    return await service.lanes.write(work)


@router.delete(
    "/{key}", response_model=KeyOut, responses=problems("not_found", "invalid_request", *_STORE)
)
async def revoke_key(key: str, service: ServiceParts) -> Response:
    """Revoke a key: from now on it opens nothing."""
    return await service.lanes.write(lambda: json_reply(key_record(service.keys.revoke(key))))
