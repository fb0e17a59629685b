"""What an RDU is: machine files, the one capacity model, the one cost function, the one opcode table.

machine = load("sn40l")                 # a name, or the path of a YAML file
budget = machine.target(chips=8)        # what a program may use
cost(Firing("simd", 1024, {"alu": 2}, (2048, 2048), "bf16"), machine).cycles
"""

from sambaflow.machine.capacity import (
    Demand,
    Room,
    Shortfall,
    agcu_bandwidth,
    agcu_counts,
    agcus_for,
    agcus_taken,
    capacity_error,
    fits,
    pmus_for,
    pmus_holding,
    require,
    room_for,
    shared_agcus,
    shortfalls,
    window_of,
)
from sambaflow.machine.cost import Cost, Firing, cost, firing_of, systolic_cycles
from sambaflow.machine.loading import (
    Provenance,
    check_same_structure,
    from_dict,
    load,
    names,
    provenance,
    to_dict,
)
from sambaflow.machine.memory import accessed_bytes, efficiency, service_picoseconds
from sambaflow.machine.model import (
    PICOSECONDS,
    Agcu,
    Budget,
    Host,
    Launch,
    Links,
    Machine,
    Network,
    Pcu,
    Pmu,
    Tier,
)

__all__ = [
    "PICOSECONDS",
    "Agcu",
    "Budget",
    "Cost",
    "Demand",
    "Firing",
    "Host",
    "Launch",
    "Links",
    "Machine",
    "Network",
    "Pcu",
    "Pmu",
    "Provenance",
    "Room",
    "Shortfall",
    "Tier",
    "accessed_bytes",
    "agcu_bandwidth",
    "agcu_counts",
    "agcus_for",
    "agcus_taken",
    "capacity_error",
    "check_same_structure",
    "cost",
    "efficiency",
    "firing_of",
    "fits",
    "from_dict",
    "load",
    "names",
    "pmus_for",
    "pmus_holding",
    "provenance",
    "require",
    "room_for",
    "service_picoseconds",
    "shared_agcus",
    "shortfalls",
    "systolic_cycles",
    "to_dict",
    "window_of",
]
