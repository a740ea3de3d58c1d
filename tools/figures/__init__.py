"""The pictures of the README and the documentation, made from what ships with zsavs."""
