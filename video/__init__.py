import av

# What FFmpeg mutters about a damaged file is told by the reader in a sentence.
av.logging.set_level(av.logging.PANIC)
