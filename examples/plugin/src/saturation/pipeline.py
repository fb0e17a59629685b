"""A pipeline that takes the saturation dialect, too."""

from sambaflow.passes.framework.pipelines import Mode

O1_SATURATION = Mode.of(
    "o1-saturation",
    "o1 for modules with operators of the saturation dialect",
    "lower-saturation, o1",
    {"machine": "set-target", "chips": "set-target", "rules": "samba-fuse"},
)
