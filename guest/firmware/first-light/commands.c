/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The commands that the master takes on its console. */

#include <stdbool.h>
#include <stddef.h>

#include "commands.h"
#include "console.h"
#include "idm.h"
#include "master.h"

#define WORDS_MAX 4

typedef struct Command {
        const char *name;
        const char *arguments;
        const char *help;
        unsigned numbers;       /* of which the first is a slave's */
        void (*run)(const unsigned *numbers);
} Command;

static void run_start(const unsigned *numbers) {
        master_start(numbers[0]);
}

static void run_stop(const unsigned *numbers) {
        master_stop(numbers[0]);
}

static void run_ping(const unsigned *numbers) {
        if (numbers[1] > 31)
                print("master: vectors are 0 to 31\n");
        else
                master_ping(numbers[0], numbers[1]);
}

static void run_status(const unsigned *numbers) {
        (void) numbers;
        print("master: couples: %u\n", (unsigned) idm_couples());
        for (unsigned slave = 1; slave < IDM_COUPLE_MAX; slave++)
                if (idm_attached(slave))
                        master_print_slave(slave);
}

static void run_help(const unsigned *numbers);

static const Command commands[] = {
        { "start",  " SLAVE",        "load and start a slave",        1, run_start  },
        { "stop",   " SLAVE",        "stop a slave",                  1, run_stop   },
        { "ping",   " SLAVE VECTOR", "send a vector to a slave",      2, run_ping   },
        { "status", "",              "show the slaves",               0, run_status },
        { "help",   "",              "show this",                     0, run_help   },
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void run_help(const unsigned *numbers) {
        (void) numbers;
        for (unsigned i = 0; i < COMMANDS; i++)
                print("master: %s%s: %s\n", commands[i].name, commands[i].arguments, commands[i].help);
}

static bool equal(const char *a, const char *b) {
        while (*a && *a == *b)
                a++, b++;
        return *a == *b;
}

static bool parse_number(const char *word, unsigned *ret) {
        unsigned value = 0;

        for (const char *p = word; *p; p++) {
                if (*p < '0' || *p > '9' || value > 9999)
                        return false;
                value = 10 * value + (unsigned) (*p - '0');
        }
        *ret = value;
        return *word;
}

/* The number of words, WORDS_MAX + 1 if there are too many */
static unsigned split(char *line, char *words[WORDS_MAX]) {
        unsigned count = 0;

        for (;;) {
                while (*line == ' ')
                        *line++ = '\0';
                if (!*line)
                        return count;
                if (count == WORDS_MAX)
                        return count + 1;
                words[count++] = line;
                while (*line && *line != ' ')
                        line++;
        }
}

static void run(const Command *command, char *const *words, unsigned count) {
        unsigned numbers[WORDS_MAX];
        bool good = count == command->numbers;

        for (unsigned i = 0; good && i < count; i++)
                good = parse_number(words[i], &numbers[i]);
        if (!good)
                print("master: use it as: %s%s\n", command->name, command->arguments);
        else if (count > 0 && (numbers[0] < 1 || numbers[0] >= IDM_COUPLE_MAX || !idm_attached(numbers[0])))
                print("master: there is no slave %u\n", numbers[0]);
        else
                command->run(numbers);
}

void command_run(char *line) {
        char *words[WORDS_MAX];
        unsigned count = split(line, words);

        if (count == 0)
                return;
        for (unsigned i = 0; i < COMMANDS; i++)
                if (equal(words[0], commands[i].name)) {
                        run(&commands[i], words + 1, count - 1);
                        return;
                }
        print("master: unknown command %s, try help\n", words[0]);
}
