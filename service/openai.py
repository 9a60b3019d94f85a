"""The dialect of OpenAI's chat completions: bodies in, bodies out.

Clients of that interface send much that means nothing here, such as a temperature. It is left
aside, unless to do so would change what they get back: then it is refused.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from dysk.answer import Answer, Grounding, Mode
from dysk.workspace import DEFAULT_GRAPH
from service.asking import pieces
from service.errors import Problem
from service.schemas import Date, usable_name

MODEL = "dysk"
"""The model over the default graph; ``dysk/NAME`` is the one over another graph."""
_MOST_TOKENS = 512
_DEFAULT_TOKENS = 48


class TextPart(BaseModel):
    """A part of a message. Only text is read."""

    type: Literal["text"]
    text: str


class Message(BaseModel):
    """A message of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[TextPart] | None = None

    def words(self) -> str:
        """The text of the message."""
        if isinstance(self.content, list):
            return "".join(part.text for part in self.content)
        return self.content or ""


class Options(BaseModel):
    """What ``POST ask`` takes beside the question."""

    model_config = ConfigDict(extra="forbid")

    graph: Annotated[str, AfterValidator(usable_name)] | None = None
    as_of: Date | None = None
    known_at: Date | None = None
    min_revision: int | None = Field(default=None, ge=0, lt=2**63)
    mode: Mode = "attention"
    candidates: int = Field(default=32, ge=1, le=1024)
    top_k: int = Field(default=4, ge=1, le=128)
    grounding: Grounding = "check"


class StreamOptions(BaseModel):
    """``include_usage``: one more chunk, with the tokens used."""

    include_usage: bool = False


class Completion(BaseModel):
    """A chat completion to make. The last message of the user is the question."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "dysk",
                    "messages": [{"role": "user", "content": "Who led the UK?"}],
                    "dysk": {"as_of": "2023-03"},
                }
            ]
        }
    )

    model: str
    messages: list[Message] = Field(min_length=1)
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    n: int | None = None
    tools: list[Any] | None = None
    response_format: dict[str, Any] | None = None
    dysk: Options = Field(default_factory=Options)

    def graph(self) -> str:
        """The graph that the model, or the option, names. Raises Problem."""
        if self.model == MODEL:
            return self.dysk.graph or DEFAULT_GRAPH
        family, _, name = self.model.partition("/")
        if family != MODEL or not name or self.dysk.graph not in (None, name):
            raise Problem(
                "model_not_found",
                f"there is no model {self.model!r} here; /v1/models lists those there are",
                errors=[{"parameter": "model", "detail": "unknown"}],
            )
        return name

    def question(self) -> dict[str, Any]:
        """The arguments of the ask. Raises Problem for what dysk would not do."""
        wanted = {
            "n": self.n not in (None, 1),
            "tools": bool(self.tools),
            "response_format": (self.response_format or {}).get("type", "text") != "text",
        }
        for name, given in wanted.items():
            if given:
                detail = f"{name} is not supported: an answer is one text"
                raise Problem(
                    "unsupported_option", detail, errors=[{"parameter": name, "detail": detail}]
                )
        asked = [message.words() for message in self.messages if message.role == "user"]
        if not asked:
            raise Problem(
                "invalid_question",
                "no message has the role user, so there is no question",
                errors=[{"parameter": "messages", "detail": "none of the user"}],
            )
        most = self.max_completion_tokens or self.max_tokens or _DEFAULT_TOKENS
        options = self.dysk.model_dump(exclude={"graph"})
        return {"question": asked[-1], "max_tokens": min(most, _MOST_TOKENS), **options}


def completion(answer: Answer, completion_id: str, model: str) -> dict[str, Any]:
    """The answer as a chat completion. Its evidence is under ``dysk``."""
    return {
        "id": completion_id,
        "object": "chat.completion",
        "created": int(time.time()),
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": answer.text, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": _usage(answer),
        "dysk": _particulars(answer),
    }


def chunks(answer: Answer, completion_id: str, model: str, *, include_usage: bool) -> Iterator[str]:
    """The answer as the events of a stream, word by word; the last chunk has the evidence."""
    base = {
        "id": completion_id,
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": model,
    }

    def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> str:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return data({**base, "choices": [choice], **more})

    yield chunk({"role": "assistant", "content": ""})
    for piece in pieces(answer.text):
        yield chunk({"content": piece})
    yield chunk({}, "stop", dysk=_particulars(answer))
    if include_usage:
        yield data({**base, "choices": [], "usage": _usage(answer)})
    yield "data: [DONE]\n\n"


def data(record: object) -> str:
    """One event of the stream."""
    return f"data: {json.dumps(record, ensure_ascii=False)}\n\n"


def _usage(answer: Answer) -> dict[str, int]:
    used = answer.usage
    return {
        "prompt_tokens": used.prompt_tokens,
        "completion_tokens": used.completion_tokens,
        "total_tokens": used.prompt_tokens + used.completion_tokens,
    }


def _particulars(answer: Answer) -> dict[str, Any]:
    record = answer.to_dict()
    return {name: value for name, value in record.items() if name not in ("answer", "usage")}
