"""`alphaplus graph`: the job graph, as Mermaid text."""

from flows.job_graph import mermaid


def graph() -> None:
    """Print the job graph as Mermaid text."""
    print(mermaid())
