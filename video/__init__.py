"""Pictures and videos read and written, and what segment.py does to them: background, blur, tint, cut-out."""

import av

# The reader reports a damaged file in one sentence; FFmpeg's own messages are silenced.
av.logging.set_level(av.logging.PANIC)
