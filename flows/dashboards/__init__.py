"""Dashboards for Grafana, made from the declarations; `python -m flows.published` writes them."""
