"""Words: what Claude is told. Pure functions of vocabulary; nothing here acts."""
