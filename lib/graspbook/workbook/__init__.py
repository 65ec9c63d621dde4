"""Typed parameters, running notebooks, figures and the rendered pages."""
