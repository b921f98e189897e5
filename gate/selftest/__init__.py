"""The gate's self-test: on simulated machines, and on this machine with a synthetic slow-down."""
