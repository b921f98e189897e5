"""The FPS gate: has this change made a network slower, larger or worse, told by measurements that admit doubt."""
