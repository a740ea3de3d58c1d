"""The documentation site: pages of files that lie outside of ``docs``, those of the API, and a check of all links."""
