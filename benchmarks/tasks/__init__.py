"""Tasks that a pair of files cannot hold, since the graph changes between the questions."""
