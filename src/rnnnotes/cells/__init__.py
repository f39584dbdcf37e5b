"""Recurrent cells: one step of a recurrence each. Import them from ``rnnnotes``."""
