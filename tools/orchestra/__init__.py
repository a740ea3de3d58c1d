"""The orchestra: a small world of drawn emoji and of rendered instruments, made from a seed."""
