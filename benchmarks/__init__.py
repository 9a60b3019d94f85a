"""How well and how fast dysk answers, measured beside its rivals. Stays out of the wheel.

``dysk bench run`` scores answers, ``dysk bench speed`` times them, ``dysk bench report`` prints
the tables.
"""
