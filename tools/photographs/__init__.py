"""How the files of ``zsavs/data/photographs`` were made; :mod:`tools.photographs.meow` synthesises one of them."""
