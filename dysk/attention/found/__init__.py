"""Retrieval heads that ship with dysk: one JSON file a model, named by its fingerprint."""
