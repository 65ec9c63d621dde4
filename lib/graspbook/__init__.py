"""Grasp Workbook: a reproducible workbook of two papers on learning to grasp."""

__version__ = "0.1.0"
