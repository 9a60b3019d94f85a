"""Errors above the store. Each message says what to do; ``code`` is stable and machine-readable."""

from __future__ import annotations


class DyskError(Exception):
    """Base of every error that dysk raises on purpose, outside the store's own (graph.errors)."""

    code = "dysk_error"


class ModelUnavailable(DyskError):
    """No language model or encoder could be found or loaded. Writes and searches by name still
    work.
    """

    code = "model_unavailable"


class InvalidQuestion(DyskError):
    """The question is empty, too long for the model, or not text."""

    code = "invalid_question"


class DataFolderError(DyskError):
    """The data folder cannot be used: not a folder, not writable, or in use by something else."""

    code = "data_folder"


class InvalidGraphUrl(DyskError):
    """The address of the graph server cannot be used, or its password is missing."""

    code = "graph_url"


class RevisionNotReached(DyskError):
    """``min_revision`` lies beyond what the graph has recorded."""

    code = "revision_not_reached"


class BackupError(DyskError):
    """A backup cannot be made or restored as asked. Nothing was overwritten."""

    code = "backup"


class ServiceUnreachable(DyskError):
    """No service answers at the address, or what answers is not dysk."""

    code = "service_unreachable"


class Refused(DyskError):
    """The service refused what no call in one's own process could be refused for: a key that is
    missing, a limit that is reached.
    """

    code = "refused"
