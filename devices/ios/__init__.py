"""iPhones: a harness app that runs Core ML packages, and the ways to reach it from a computer."""
