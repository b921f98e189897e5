"""The gate tested: on simulated machines, and on this one with a slow-down that was put in."""
