"""The simulation: the real workflows and activities under seeded chance, in one process.

`simulation/temporal/` stands in for Temporal, `simulation/run.py` runs seeds over a `World`,
`simulation/shrinking.py` cuts a failing history down to the steps that matter.
"""
