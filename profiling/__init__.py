"""What the parts of a network cost: operators, blocks, ARM instructions, the roofline."""
