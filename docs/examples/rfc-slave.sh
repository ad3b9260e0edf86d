#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The RFC's slave, with no daemon: docs/rfc-demo.md. Its command line is the RFC's, and what is different is told there.
# QEMU is the patched qemu-system-arm, MEM_PATH as the master has it. More options may follow.

exec "${QEMU:-qemu-system-arm}" \
        -M virt -cpu cortex-a15 -machine slave=on \
        -drive if=none,file=slave-disk.img,cache=writeback,id=foo1 \
        -device virtio-blk-device,drive=foo1 \
        -object multi-socket-backend,id=foo,path=ms_socket \
        -object memory-backend-shared,id=mem,size=512M,mem-path="${MEM_PATH:-/dev/shm}",chardev=foo,master=off \
        -device idm_ipi,master=false,memdev=mem,socket=foo \
        -incoming "shared:mem" -numa node,memdev=mem -m 512M \
        -nographic "$@"
