"""Alerts: rules as data, and the step that raises and clears by them."""
