#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# The RFC's master, with no daemon: docs/rfc-demo.md. Its command line is the RFC's, and what is different is told there.
# QEMU is the patched qemu-system-arm, MEM_PATH a folder on tmpfs or hugetlbfs. More options may follow.

# shellcheck disable=SC2016       # the $ is for Linux, as in the RFC
exec "${QEMU:-qemu-system-arm}" \
        -kernel zImage -initrd initrd \
        -M virt -cpu cortex-a15 \
        -drive if=none,file=disk.img,cache=writeback,id=foo1 \
        -device virtio-blk-device,drive=foo1 \
        -object multi-socket-backend,id=foo,listen,path=ms_socket \
        -object memory-backend-shared,id=mem,size=1G,mem-path="${MEM_PATH:-/dev/shm}",chardev=foo,master=on,prealloc=on \
        -device idm_ipi,master=true,memdev=mem,socket=foo \
        -numa node,memdev=mem -m 1G \
        -append 'root=/dev/vda rw console=ttyAMA0 mem=512M memmap=512M$0x60000000' \
        -nographic "$@"
