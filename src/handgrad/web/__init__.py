"""The page of `handgrad serve`: a server on this machine, and what the browser is given."""
