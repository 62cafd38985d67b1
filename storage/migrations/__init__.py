"""The chain of migrations: what every table was, and how it became what it is."""
