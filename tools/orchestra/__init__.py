"""The orchestra: a small world of emoji that sound like real instruments, drawn and rendered from a seed."""
