// A cache that a tied scatter updates where it stands has a load and no buffer: what is left of o1 takes it.
// RUN: samba-opt --pass-pipeline=set-target,kernel-tile,kernel-balance,kernel-insert-transfers,kernel-insert-buffers,kernel-size-fifos,convert-kernel-to-rdu --verify-each %S/../dialects/kernel/kv_cache.mlir | filecheck %s
// CHECK: rdu.schedule @decode
