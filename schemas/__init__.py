"""Schemas: what is published and what is read; columns, tables, topics, venues."""
