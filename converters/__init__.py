"""From a checkpoint to an artifact: a module for each format, int8, parity, the cache; models of others."""

from converters.telemetry import switch_off

switch_off()
