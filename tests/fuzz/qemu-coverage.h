/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a QEMU that is fuzzed and its fuzzer have agreed upon */
#ifndef HET_QEMU_COVERAGE_H
#define HET_QEMU_COVERAGE_H

#define HET_COVERAGE_FD "HET_COVERAGE_FD"       /* in the environment: the number of an fd with that many counters */
#define HET_COVERAGE_SIZE 65536u

#endif
