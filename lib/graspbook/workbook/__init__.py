"""The runner: typed parameters, running notebooks, the rendered pages, shipping networks."""
