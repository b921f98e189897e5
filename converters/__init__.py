from converters.telemetry import switch_off

switch_off()
