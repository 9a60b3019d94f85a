"""Surroundings of every test: no test waits for a model hub that it should not need."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
