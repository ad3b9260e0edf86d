/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which board a processor's machine is, and which QEMU it needs. Called by platform-check.c. */

#include <string.h>

#include "platform-parser.h"

static bool is_good(const ParsedProcessor *pp, ProcessorKey key) {
        return pp->keys[key].state == KEY_GOOD;
}

/* Several architectures have a board of the same name: which one it is, is known by Target= and CPU= */
void platform_parser_choose_board(PlatformParser *p, ParsedProcessor *pp) {
        ProcessorConfig *c = pp->config;
        Architecture wanted;
        const Board *board;

        if (!is_good(pp, KEY_MACHINE))
                return;

        if (is_good(pp, KEY_TARGET))
                (void) target_find(c->target, &wanted);
        else if (is_good(pp, KEY_CPU) && cpu_is_riscv(c->cpu))
                wanted = ARCHITECTURE_RISCV;
        else
                return;

        board = board_of_architecture(c->board, wanted);
        if (board)
                c->board = board;
        else if (is_good(pp, KEY_TARGET))
                platform_parser_key_error(p, pp, KEY_TARGET, "%s is a board of %s, whose target is not %s; remove it",
                                          c->board->machine, architecture_to_string(c->board->architecture), c->target);
        else
                platform_parser_key_error(p, pp, KEY_CPU, "%s is a board of %s, which has no %s", c->board->machine,
                                          architecture_to_string(c->board->architecture), c->cpu);
}

/*
 * What QEMU would refuse when the platform is started. Not that of i386, which takes each CPU of x86_64 and has it do with 32 bits.
 */
static void check_target(PlatformParser *p, ParsedProcessor *pp, bool wide) {
        static const struct {
                const char *narrow, *wide;
        } targets[] = {
                { TARGET_ARM,     TARGET_AARCH64 },
                { TARGET_RISCV32, TARGET_RISCV64 },
        };
        ProcessorConfig *c = pp->config;
        g_autofree char *model = wide ? g_strndup(c->cpu, strcspn(c->cpu, ",")) : NULL;

        if (!is_good(pp, KEY_TARGET) || !is_good(pp, KEY_MACHINE))
                return;

        if (c->board->m_profile && strcmp(c->target, TARGET_ARM) != 0) {
                platform_parser_key_error(p, pp, KEY_TARGET, "%s is a Cortex-M, whose target is arm; remove it", c->board->machine);
                return;
        }

        /* There is a "max" of either width */
        for (size_t i = 0; wide && strcmp(model, "max") != 0 && i < G_N_ELEMENTS(targets); i++)
                if (strcmp(c->target, targets[i].narrow) == 0)
                        platform_parser_key_error(p, pp, KEY_TARGET, "%s has 64 bits; write Target=%s, or remove it", model,
                                                  targets[i].wide);
}

void platform_parser_check_idm(PlatformParser *p, ParsedProcessor *pp) {
        ProcessorConfig *c = pp->config;

        if (!is_good(pp, KEY_MACHINE))
                return;

        if (is_good(pp, KEY_IDM) && c->idm_pci && !c->board->idm_pci && !c->board->platform_bus)
                platform_parser_key_error(p, pp, KEY_IDM, "%s has no PCI; remove it", c->board->machine);
        else if (is_good(pp, KEY_IDM) && !c->idm_pci && c->board->idm_pci)
                platform_parser_key_error(p, pp, KEY_IDM, "%s has its IDM on PCI; remove it", c->board->machine);
        else
                c->idm_pci = c->idm_pci || c->board->idm_pci;
}

/* Which QEMU it needs: that of its board and CPU, unless the file says otherwise */
void platform_parser_check_target(PlatformParser *p, ParsedProcessor *pp) {
        static const char *const usual[_ARCHITECTURE_MAX] = {
                [ARCHITECTURE_ARM] = TARGET_ARM,
                [ARCHITECTURE_RISCV] = TARGET_RISCV64,
                [ARCHITECTURE_X86] = TARGET_X86_64,
        };
        ProcessorConfig *c = pp->config;
        Architecture architecture = is_good(pp, KEY_MACHINE) ? c->board->architecture : ARCHITECTURE_ARM;
        bool wide = is_good(pp, KEY_CPU) && cpu_has_64_bits(c->cpu);

        check_target(p, pp, wide);
        if (!c->target)
                c->target = architecture == ARCHITECTURE_ARM && wide ? TARGET_AARCH64 : usual[architecture];
}
