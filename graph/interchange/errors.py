"""What stands in the way of a whole file. What is wrong with one line of it is a BadLine."""

from __future__ import annotations

from graph.errors import GraphError


class UnreadableFile(GraphError):
    """The file cannot be read on: its archive is damaged, its header says two things, or a library
    that its format needs is not installed. What was loaded before stays.
    """

    code = "unreadable_file"
