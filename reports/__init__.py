"""Rows of results, their statistics, and what is made of them: the page, tables, history."""
