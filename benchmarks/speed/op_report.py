"""``dysk bench speed op`` as Markdown."""

from __future__ import annotations

from typing import Any

from benchmarks.speed.op import OpSpeed, Row
from benchmarks.speed.ttft import Spread


def table(result: OpSpeed) -> str:
    """One table for each number of threads, the scaling between them, and the overhead."""
    from benchmarks.report import table as markdown_table

    parts = []
    for threads in sorted({row.threads for row in result.rows}):
        rows = [row for row in result.rows if row.threads == threads]
        rivals = list(rows[0].over_op)
        header = ["shape", "Q", "C", "memory", "op µs", *rivals, "GB/s", "of reading"]
        lines = [_line(row, rivals) for row in rows]
        parts.append(
            f"{threads} thread{'s' * (threads > 1)}; times of rivals as multiples of the op's\n\n"
            f"{markdown_table(header, lines)}\n"
        )
    if result.scaling:
        header = ["one thread / all", "Q", "C", "memory", "threads", "times faster"]
        lines = [
            [s.shape, str(s.queries), str(s.candidates), s.memory, str(s.threads), _say(s.speedup)]
            for s in result.scaling
        ]
        parts.append(f"{markdown_table(header, lines)}\n")
    parts.append(f"overhead of a call with nothing to read: {_say(result.overhead_us)} µs\n")
    return "\n".join(parts)


def excerpt(result: dict[str, Any]) -> str:
    """Medians of a published result, as docs/op.md shows them: the rows with the most candidates,
    on one thread, and what all threads gain.
    """
    from benchmarks.report import table as markdown_table

    most = max(row["candidates"] for row in result["rows"])
    rows = [row for row in result["rows"] if row["candidates"] == most and row["threads"] == 1]
    gains = {
        (gain["shape"], gain["queries"], gain["memory"]): gain["speedup"]["median"]
        for gain in result["scaling"]
        if gain["candidates"] == most
    }
    rivals = list(rows[0]["over_op"])
    header = ["shape", "Q", "memory", "op µs", *rivals, "of reading", "two threads"]
    lines = [
        [
            *(row["shape"], str(row["queries"]), row["memory"]),
            _figure(row["us"]["op"]["median"], False),
            *(f"{_figure(row['over_op'][rival]['median'], False)} ×" for rival in rivals),
            "" if row["of_bandwidth"] is None else _figure(row["of_bandwidth"]["median"], True),
            f"{gains[row['shape'], row['queries'], row['memory']]:.1f} ×",
        ]
        for row in rows
    ]
    return f"{markdown_table(header, lines)}\n"


def _line(row: Row, rivals: list[str]) -> list[str]:
    beyond = [
        "" if value is None else _say(value, percent=percent)
        for value, percent in ((row.gb_per_s, False), (row.of_bandwidth, True))
    ]
    return [
        *(row.shape, str(row.queries), str(row.candidates), row.memory, _say(row.us["op"])),
        *(_say(row.over_op[rival]) for rival in rivals),
        *beyond,
    ]


def _say(spread: Spread, percent: bool = False) -> str:
    """Median [p20, p80], in about two figures."""
    median, low, high = (_figure(x, percent) for x in (spread.median, spread.p20, spread.p80))
    return f"{median} [{low}, {high}]"


def _figure(value: float, percent: bool) -> str:
    if percent:
        return f"{value:.0%}"
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"
