"""dysk as a model of lm-evaluation-harness, and questions about what changed as a task of it."""
