// A cache that a tied scatter updates where it stands has a load and no buffer: the rest of o1 takes it.
// RUN: samba-opt --pass-pipeline=o1 --verify-each %S/../dialects/kernel/kv_cache.mlir | filecheck %s
// CHECK: rdu.schedule @decode
