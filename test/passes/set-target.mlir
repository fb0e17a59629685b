// set-target writes what the module is compiled for; what no option says stays, or is one whole sn40l chip.
// RUN: samba-opt --pass-pipeline=set-target %s | filecheck %s --check-prefix=KEPT
// RUN: samba-opt --pass-pipeline='set-target{chips=8}' %s | filecheck %s --check-prefix=CHIPS
// RUN: samba-opt --pass-pipeline='set-target{machine=sn30}' %s | filecheck %s --check-prefix=OTHER
// RUN: sed 's/attributes.*{/{/' %s | samba-opt --pass-pipeline=set-target | filecheck %s --check-prefix=NEW
// RUN: not samba-opt --pass-pipeline='set-target{tiles=99}' %s 2>&1 | filecheck %s --check-prefix=TILES
// RUN: not samba-opt --pass-pipeline='set-target{machine=sn99}' %s 2>&1 | filecheck %s --check-prefix=UNKNOWN

// KEPT:  #rdu.target<machine = "sn40l", tiles = 2, chips = 4>
// CHIPS: #rdu.target<machine = "sn40l", tiles = 2, chips = 8>
// Tiles belong to a machine: another one starts from all of its own.
// OTHER: #rdu.target<machine = "sn30", tiles = {{[48]}}, chips = 4>
// NEW:   #rdu.target<machine = "sn40l", tiles = 4, chips = 1>
// TILES: error: sn40l: tiles = 99, allowed: 1 to 4
// UNKNOWN: error: no machine 'sn99'
module attributes {rdu.target = #rdu.target<machine = "sn40l", tiles = 2, chips = 4>} {
}
