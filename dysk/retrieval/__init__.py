"""From a question to the few slots of the graph that may answer it.

A *slot* is a (subject, relation) pair: the place that a fact's object fills. Import the parts by
their modules; this package imports none of them, so that reading a date does not load FAISS.
"""
