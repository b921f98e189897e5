"""A few frames for a device that takes seconds a frame."""

from __future__ import annotations

from dataclasses import replace

from evaluation.clip import Footage


def excerpt(footage: Footage, frames: int) -> Footage:
    """`frames` frames of `footage`, which says so; all of it when it has no more.

    Each clip gives its beginning, at most half of what is asked for: so there is a mask that is fed back, and one that
    must not be.
    """
    if footage.frames <= frames:
        return footage
    clips, wanted = [], frames
    for clip in footage.clips:
        length = min(len(clip), max(1, frames // 2), wanted)
        if length:
            clips.append(replace(clip, frame_names=clip.frame_names[:length]))
            wanted -= length
    taken = sum(map(len, clips))
    return replace(
        footage,
        name=f"{footage.name}, {taken} of {footage.frames} frames",
        description=f"{footage.description} Of its {footage.frames} frames, {taken} were judged.",
        clips=clips,
    )
