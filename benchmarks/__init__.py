"""How long reads over many runs take: made-up runs, and a clock."""
