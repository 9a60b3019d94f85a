"""The routes that clients of OpenAI's interface know: models and chat completions."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from dysk.checks import check_question
from dysk.workspace import DEFAULT_GRAPH
from service.asking import answer, told
from service.dependencies import CallerOf, ServiceParts
from service.gate import check_graph
from service.lanes import NobodyWaits
from service.openai import MODEL, Completion, chunks, completion, data
from service.openapi import openai_problems
from service.records import json_reply
from service.replies import CompletionOut, ModelList
from service.routes.ask import CLIENT_CLOSED_REQUEST, EVENT_STREAM
from service.strict import StrictRoute

router = APIRouter(prefix="/v1", tags=["openai"], route_class=StrictRoute)


@router.get("/models", response_model=ModelList, responses=openai_problems("store_unavailable"))
async def list_models(service: ServiceParts, caller: CallerOf) -> Response:
    """`dysk` is the model over the default graph, `dysk/NAME` over another one."""

    def work() -> Response:
        names = [name for name in service.workspace.graphs() if caller.sees(name)]
        ids = [MODEL if name == DEFAULT_GRAPH else f"{MODEL}/{name}" for name in names]
        found = [
            {"id": each, "object": "model", "created": 0, "owned_by": "dysk"}
            for each in sorted(ids)
        ]
        return json_reply({"object": "list", "data": found})

    return await service.lanes.read(work)


@router.post(
    "/chat/completions",
    response_model=CompletionOut,
    responses={
        200: {"content": {EVENT_STREAM: {"schema": {"type": "string"}}}},
        **openai_problems(
            "malformed_json",
            "unsupported_option",
            "not_found",
            "model_not_found",
            "revision_not_reached",
            "history_compacted",
            "body_too_large",
            "unsupported_media_type",
            "invalid_request",
            "invalid_question",
            "invalid_time",
            "model_unavailable",
            "store_unavailable",
            "too_many_asks",
        ),
    },
)
async def complete_chat(
    body: Completion, request: Request, service: ServiceParts, caller: CallerOf
) -> Response:
    """Answer the user's last message from a graph; messages before it are not read.

    The field `dysk` takes what `POST ask` takes, and the graph. Refusals have OpenAI's envelope.
    """
    graph, question = body.graph(), body.question()
    check_graph(caller, graph)
    check_question(question["question"])
    await service.lanes.read(lambda: service.workspace.graph(graph))
    completion_id = f"chatcmpl-{request.scope['state']['request_id']}"
    if body.stream:
        service.lanes.check_room()
        usage = body.stream_options is not None and body.stream_options.include_usage
        return StreamingResponse(
            told(
                answer(service, graph, question, request),
                lambda found: chunks(found, completion_id, body.model, include_usage=usage),
                lambda code, detail: data({"error": {"message": detail, "code": code}}),
            ),
            media_type=EVENT_STREAM,
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )
    try:
        found = await answer(service, graph, question, request)
    except NobodyWaits:
        return Response(status_code=CLIENT_CLOSED_REQUEST)
    return json_reply(completion(found, completion_id, body.model))
