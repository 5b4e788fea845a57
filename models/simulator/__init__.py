"""The simulated market: order flow that clusters, traders who are really liquidated, frames as a venue sends them."""

from models.simulator.disturb import Injected, disturb
from models.simulator.fast_market import history
from models.simulator.frame import Frame, Kind
from models.simulator.simulated_market import Simulation, brackets, market
from models.simulator.simulation import Disturbances, Settings, coarse, instruments, numbered

__all__ = [
    "Disturbances",
    "Frame",
    "Injected",
    "Kind",
    "Settings",
    "Simulation",
    "brackets",
    "coarse",
    "disturb",
    "history",
    "instruments",
    "market",
    "numbered",
]
