"""Many hosts as one bench, on Ray: conversions wherever a processor is free, measurements where their device is."""
