"""Checks of a data set before anything is trained on it."""

from csipreid.diagnosis.doctor import examine
from csipreid.diagnosis.report import Finding, Report

__all__ = ['Finding', 'Report', 'examine']
