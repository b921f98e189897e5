"""The networks: their variants, checkpoints, descriptions of others' models, and `Segmenter`, which has the state."""
