"""Flows: the job graph, and all contact with engine, broker, database and clock."""
