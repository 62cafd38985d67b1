"""What `starter.py` can do, one short module for each group of commands. A door: nobody but starter.py imports it."""
