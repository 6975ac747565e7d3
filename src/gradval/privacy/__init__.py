"""Accounting: what was executed, what it costs in epsilon, and where that is written down."""
