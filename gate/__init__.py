"""The FPS gate: whether a change makes a network slower, larger or less accurate, with a statistical test."""
