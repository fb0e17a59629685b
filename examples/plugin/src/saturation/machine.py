"""A machine: the path of its YAML file."""

from pathlib import Path

SN40L_HALF = Path(__file__).parent / "sn40l_half.yaml"
