"""The walkers: rendered people with exact skeletons, written in the layout of MARS."""

from csipreid.synthetic.mars_writer import Tracklet, write_mars
from csipreid.synthetic.walkers import write_walkers

__all__ = ['Tracklet', 'write_mars', 'write_walkers']
