"""Timings that need no data set: the first token, and a durable write through the service."""
