"""Everything passback keeps in Redis; `keys.py` is the schema."""
