"""What there is to test: one table per kind of public thing, with a row for each."""
