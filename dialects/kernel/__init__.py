"""The `kernel` dialect: operators as pipelines of stages over tiles.

One interface (`Stage`) carries all ten stage kinds; sections and groups hold DAGs of stages. `body.Body` builds bodies,
`analysis` answers every question about a stage.
"""

from xdsl.ir import Dialect

from sambaflow.dialects.kernel.attributes import (
    Domain,
    DomainAttr,
    FillAttr,
    IteratorKind,
    Mapping,
    MappingAttr,
    TokenType,
)
from sambaflow.dialects.kernel.body import Body, BodyFunction, build_region
from sambaflow.dialects.kernel.body_ops import IndexOp, InsertSortedOp, RandomBitsOp, RemOp, YieldOp
from sambaflow.dialects.kernel.ops import (
    COLLECTIVES,
    CONFLICTS,
    STAGES,
    CollectiveOp,
    ContractOp,
    GatherOp,
    MapOp,
    MoveOp,
    RandomOp,
    ReduceOp,
    ScanOp,
    ScatterOp,
    SortOp,
)
from sambaflow.dialects.kernel.stage import (
    MapLike,
    Stage,
    StageRules,
    affine_map,
    block_shape,
    constant,
    constant_type,
    element_type,
    nonnegative,
    pad_array,
    region_yield,
    string,
)
from sambaflow.dialects.kernel.structure import Enclosure, GroupOp, SectionOp
from sambaflow.dialects.kernel.transfers import TIERS, BufferOp, LoadOp, StoreOp, Transfer

__all__ = [
    "COLLECTIVES",
    "CONFLICTS",
    "STAGES",
    "TIERS",
    "Body",
    "BodyFunction",
    "BufferOp",
    "CollectiveOp",
    "ContractOp",
    "Domain",
    "DomainAttr",
    "Enclosure",
    "FillAttr",
    "GatherOp",
    "GroupOp",
    "IndexOp",
    "InsertSortedOp",
    "IteratorKind",
    "Kernel",
    "LoadOp",
    "MapLike",
    "MapOp",
    "Mapping",
    "MappingAttr",
    "MoveOp",
    "RandomBitsOp",
    "RandomOp",
    "ReduceOp",
    "RemOp",
    "ScanOp",
    "ScatterOp",
    "SectionOp",
    "SortOp",
    "Stage",
    "StageRules",
    "StoreOp",
    "TokenType",
    "Transfer",
    "YieldOp",
    "affine_map",
    "block_shape",
    "build_region",
    "constant",
    "constant_type",
    "element_type",
    "nonnegative",
    "pad_array",
    "region_yield",
    "string",
]

Kernel = Dialect(
    "kernel",
    [
        *STAGES,
        SectionOp,
        GroupOp,
        LoadOp,
        StoreOp,
        BufferOp,
        YieldOp,
        IndexOp,
        InsertSortedOp,
        RandomBitsOp,
        RemOp,
    ],
    [DomainAttr, MappingAttr, FillAttr, TokenType],
)
