"""How things are written for people: numbers in words, formulas, and HTML that fits into any notebook."""
