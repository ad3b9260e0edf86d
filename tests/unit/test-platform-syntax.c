/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is wrong in a platform file before it matters what the keys mean together: syntax, names, variables, arguments.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "platform-cases.h"

#include <glib.h>

#define LETTERS_59 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefg"

#define LIMITS "CPUWeight=, CPUQuota=, AllowedCPUs=, MemoryMin=, MemoryLow=, MemoryHigh=, MemoryMax=, MemorySwapMax=, " \
               "TasksMax=, IOWeight="

static const PlatformCase syntax_cases[] = {
        {
                .name = "a long line is cut between characters",
                .text = TEXT(MASTER LETTERS_59 "\303\244\303\266\n" LETTERS_59 "\303\244\303\266=x\n"),
                .error = "test.platform:6: [Processor m]: '" LETTERS_59 "\303\244' is neither a group nor Key=value "
                         "nor a comment (# or ;)\n"
                         "test.platform:7: [Processor m]: '" LETTERS_59 "\303\244' is no key; keys are letters and "
                         "digits, as in Memory=",
        },
        {
                .name = "no closing bracket",
                .text = TEXT("[Platform\n" "Name=x\n" MASTER),
                .error = "test.platform:1: '[Platform' has no closing bracket; a group is written [Platform] or "
                         "[Processor NAME]",
        },
        {
                .name = "group twice",
                .text = TEXT("[Platform]\n" MASTER "[Platform]\n" "Description=again\n"),
                .error = "test.platform:7: [Platform]: is there twice, first in line 1; put its keys together",
        },
        {
                .name = "bracket and blanks",
                .text = TEXT("  [ Platform ]\n" MASTER PLATFORM),
                .error = "test.platform:7: [Platform]: is there twice, first in line 1; put its keys together",
        },
        {
                .name = "entries below a wrong group are not looked at",
                .text = TEXT("[Platform\n" "Name=x\n" "Colour=x\n" MASTER),
                .error = "test.platform:1: '[Platform' has no closing bracket; a group is written [Platform] or "
                         "[Processor NAME]",
        },
        {
                .name = "not UTF-8",
                .text = TEXT(MASTER "CommandLine=\377\n"),
                .error = "test.platform:6: has a byte (0xff) that is not UTF-8 text",
        },
        {
                .name = "NUL",
                .text = TEXT(MASTER "CommandLine=\000\n"),
                .error = "test.platform:6: has a byte (0x00) that is not UTF-8 text",
        },
        {
                .name = "line numbers go on behind a continued line",
                .text = TEXT(MASTER "CommandLine=a \\\n" " b \\\n" " c\n" "CPUs=0\n"),
                .error = "test.platform:6: [Processor m] CommandLine=: is for a Linux kernel; add Kernel=, or "
                         "remove it\n"
                         "test.platform:9: [Processor m] CPUs=: '0' is no number of CPUs; use 1 to 512",
        },
        {
                .name = "processor twice",
                .text = TEXT(MASTER "[Processor m]\n" "Role=slave\n"),
                .error = "test.platform:6: [Processor m]: is there twice, first in line 1; put its keys together",
        },
        {
                .name = "processor twice, other blanks",
                .text = TEXT(MASTER "[Processor  m]\n" "Role=master\n"),
                .error = "test.platform:6: [Processor  m]: is there twice, first in line 1; put its keys "
                         "together",
        },
        {
                .name = "unknown group",
                .text = TEXT("[Platfrom]\n" MASTER),
                .error = "test.platform:1: [Platfrom]: is not known; did you mean [Platform]?",
        },
        {
                .name = "unknown group, nothing near",
                .text = TEXT(MASTER "[Unit]\n"),
                .error = "test.platform:6: [Unit]: is not known; there are [Platform] and [Processor NAME]",
        },
        {
                .name = "unknown group with a name",
                .text = TEXT(MASTER "[Procesor x]\n"),
                .error = "test.platform:6: [Procesor x]: is not known; did you mean [Processor x]?",
        },
        {
                .name = "platform with a name",
                .text = TEXT(MASTER "[Platform x]\n"),
                .error = "test.platform:6: [Platform x]: is not known; there are [Platform] and [Processor NAME]",
        },
        {
                .name = "processor without a name",
                .text = TEXT(MASTER "[Processor]\n"),
                .error = "test.platform:6: [Processor]: '' is no name; use up to 64 letters, digits, _ and -, a "
                         "letter first, as in [Processor slave1]",
        },
        {
                .name = "bad name of a processor",
                .text = TEXT(MASTER "[Processor 1a/b]\n"),
                .error = "test.platform:6: [Processor 1a/b]: '1a/b' is no name; use up to 64 letters, digits, _ "
                         "and -, a letter first, as in [Processor slave1]",
        },
        {
                .name = "bad name of a platform",
                .text = TEXT(MASTER PLATFORM "Name=../x\n"),
                .error = "test.platform:7: [Platform] Name=: '../x' is no name; use up to 64 letters, digits, _ "
                         "and -, a letter first",
        },
        {
                .name = "key before a group",
                .text = TEXT("Name=x\n" MASTER),
                .error = "test.platform:1: Name=: stands before the first group; begin with [Platform]",
        },
        {
                .name = "key twice",
                .text = TEXT(MASTER "CPUs=2\n" "CPUs=3\n"),
                .error = "test.platform:7: [Processor m] CPUs=: is there twice, first in line 6; remove one",
        },
        {
                .name = "unknown key",
                .text = TEXT(MASTER "Memmory=1G\n"),
                .error = "test.platform:6: [Processor m] Memmory=: is not known here; did you mean Memory=?",
        },
        {
                .name = "unknown key, nothing near",
                .text = TEXT(MASTER "Xylophone=1\n"),
                .error = "test.platform:6: [Processor m] Xylophone=: is not known here; there are Role=, Id=, "
                         "Machine=, CPU=, CPUs=, Target=, Memory=, Window=, Access=, Firmware=, Kernel=, Initrd=, CommandLine=, "
                         "DeviceTree=, Entry=, Argument=, Protocol=, IDM=, Remoteproc=, AutoBoot=, OnMasterReset=, "
                         "OnMasterFailure=, Start=, Monitor=, Restart=, "
                         "RestartSec=, StartLimitBurst=, StartLimitIntervalSec=, WatchdogSec=, "
                         "WatchdogStartSec=, QEMU=, ExtraArguments=, ConsoleLogMax=, Unit=, " LIMITS,
        },
        {
                .name = "unknown key of the platform",
                .text = TEXT("[Platform]\n" "Nmae=x\n" MASTER),
                .error = "test.platform:2: [Platform] Nmae=: is not known here; did you mean Name=?",
        },
        {
                .name = "unknown key of the platform, nothing near",
                .text = TEXT("[Platform]\n" "Colour=x\n" MASTER),
                .error = "test.platform:2: [Platform] Colour=: is not known here; there are Name=, Description=, Remoteproc=, " LIMITS,
        },
        {
                .name = "no key",
                .text = TEXT(MASTER "hello\n"),
                .error = "test.platform:6: [Processor m]: 'hello' is neither a group nor Key=value nor a "
                         "comment (# or ;)",
        },
        {
                .name = "bad key",
                .text = TEXT(MASTER "Me mory=1G\n"),
                .error = "test.platform:6: [Processor m]: 'Me mory' is no key; keys are letters and digits, as "
                         "in Memory=",
        },
        {
                .name = "empty value",
                .text = TEXT(MASTER "CommandLine=\n"),
                .error = "test.platform:6: [Processor m] CommandLine=: is empty; give it a value or remove the "
                         "line",
        },
        {
                .name = "unknown variable",
                .text = TEXT(MASTER "Firmware=${FIRMWARE_DIRECTORY}/x.elf\n"),
                .error = "test.platform:6: [Processor m] Firmware=: the variable 'FIRMWARE_DIRECTORY' is not "
                         "set; give it a value where the platform is loaded, or write the value here",
        },
        {
                .name = "variable not closed",
                .text = TEXT(MASTER "CommandLine=${X\n"),
                .error = "test.platform:6: [Processor m] CommandLine=: '${X' has no closing brace; write "
                         "${NAME}, or $$ for a dollar sign",
        },
        {
                .name = "unknown variable in the description",
                .text = TEXT("[Platform]\n" "Description=${X}\n" MASTER),
                .error = "test.platform:2: [Platform] Description=: the variable 'X' is not set; give it a "
                         "value where the platform is loaded, or write the value here",
        },
        {
                .name = "several at once",
                .text = TEXT("[Platform]\n" "Nmae=x\n" "[Processor m]\n" "Role=master\n" "Machine=virt\n"
                             "CPU=cortex-a15\n" "Memory=1Q\n" "[Processor s]\n" "Role=slave\n"
                             "Machine=mps2-an385\n" "Window=16M@0x60001000\n" "Id=300\n"),
                .error = "test.platform:2: [Platform] Nmae=: is not known here; did you mean Name=?\n"
                         "test.platform:7: [Processor m] Memory=: '1Q' is no size; write it like 64M, 1G or "
                         "0x4000000\n"
                         "test.platform:11: [Processor s] Window=: the address 0x60001000 is not a multiple of "
                         "64K; write Window=16M@0x60000000\n"
                         "test.platform:12: [Processor s] Id=: '300' is no number of a processor; slaves have 1 "
                         "to 255",
        },
};

static void test_syntax(void **state) {
        platform_cases_check(syntax_cases, G_N_ELEMENTS(syntax_cases));
}

static const PlatformCase arguments_cases[] = {
        {
                .name = "extra arguments: a monitor on the console",
                .text = TEXT(MASTER "ExtraArguments=-monitor chardev:console\n"),
                .error = "test.platform:6: [Processor m] ExtraArguments=: -monitor chardev:console is not "
                         "possible here: the character devices qmp and console are hetd's; add one of your own "
                         "with -chardev",
        },
        {
                .name = "extra arguments: BIOS of a slave",
                .text = TEXT(MASTER SLAVE "ExtraArguments=-bios x\n"),
                .error = "test.platform:11: [Processor s] ExtraArguments=: -bios x is not possible here: a "
                         "slave's memory is not there when QEMU starts; use Firmware=",
        },
        {
                .name = "extra arguments: KVM",
                .text = TEXT(MASTER "ExtraArguments=-enable-kvm\n"),
                .error = "test.platform:6: [Processor m] ExtraArguments=: -enable-kvm is not possible here: add "
                         "accel=kvm to Machine=",
        },
        {
                .name = "extra arguments: -S",
                .text = TEXT(MASTER "ExtraArguments=-s -S\n"),
                .error = "test.platform:6: [Processor m] ExtraArguments=: -S is not possible here: hetd decides "
                         "when a guest starts",
        },
        {
                .name = "extra arguments: two dashes",
                .text = TEXT(MASTER "ExtraArguments=--kernel x.elf\n"),
                .error = "test.platform:6: [Processor m] ExtraArguments=: --kernel x.elf is not possible here: "
                         "use Kernel= or Firmware=",
        },
        {
                .name = "extra arguments: machine",
                .text = TEXT(MASTER "ExtraArguments=-machine memory-backend=mem\n"),
                .error = "test.platform:6: [Processor m] ExtraArguments=: -machine memory-backend=mem is not "
                         "possible here: add it to Machine=",
        },
        {
                .name = "extra arguments: incoming",
                .text = TEXT(MASTER SLAVE "ExtraArguments=-incoming defer\n"),
                .error = "test.platform:11: [Processor s] ExtraArguments=: -incoming defer is not possible "
                         "here: hetd itself hands a slave its memory",
        },
        {
                .name = "extra arguments: qmp on our socket",
                .text = TEXT(MASTER "ExtraArguments=-mon chardev=qmp,mode=control\n"),
                .error = "test.platform:6: [Processor m] ExtraArguments=: -mon chardev=qmp,mode=control is not "
                         "possible here: the character devices qmp and console are hetd's; add one of your own "
                         "with -chardev",
        },
        {
                .name = "extra arguments: stdio",
                .text = TEXT(MASTER "ExtraArguments=-nographic\n"),
                .error = "test.platform:6: [Processor m] ExtraArguments=: -nographic is not possible here: it "
                         "would take standard input, where hetd's monitor is",
        },
        {
                .name = "extra arguments: serial on stdio",
                .text = TEXT(MASTER "ExtraArguments=-serial mon:stdio\n"),
                .error = "test.platform:6: [Processor m] ExtraArguments=: -serial mon:stdio is not possible "
                         "here: standard input is the socket of hetd's monitor; use a UNIX socket",
        },
        {
                .name = "extra arguments: chardev id",
                .text = TEXT(MASTER "ExtraArguments=-chardev socket,id=console,path=/x,server=on\n"),
                .error = "test.platform:6: [Processor m] ExtraArguments=: -chardev "
                         "socket,id=console,path=/x,server=on is not possible here: the ids qmp and console are "
                         "hetd's; choose another",
        },
        {
                .name = "extra arguments: our memory",
                .text = TEXT(MASTER "ExtraArguments=-object memory-backend-shared,id=x,size=1M\n"),
                .error = "test.platform:6: [Processor m] ExtraArguments=: -object "
                         "memory-backend-shared,id=x,size=1M is not possible here: the memory that is shared is "
                         "hetd's (Memory=, Window=)",
        },
        {
                .name = "extra arguments: our device",
                .text = TEXT(MASTER "ExtraArguments=-device idm_ipi\n"),
                .error = "test.platform:6: [Processor m] ExtraArguments=: -device idm_ipi is not possible here: "
                         "hetd adds the IDM itself",
        },
        {
                .name = "extra arguments: loader of a slave",
                .text = TEXT(MASTER SLAVE "ExtraArguments=-device loader,file=x\n"),
                .error = "test.platform:11: [Processor s] ExtraArguments=: -device loader,file=x is not "
                         "possible here: a slave's memory is not there when QEMU starts; use Firmware=",
        },
        {
                .name = "extra arguments: single thread",
                .text = TEXT(MASTER "ExtraArguments=-accel tcg,thread=single\n"),
                .error = "test.platform:6: [Processor m] ExtraArguments=: -accel tcg,thread=single is not "
                         "possible here: processors that share memory need threads of their own",
        },
        {
                .name = "extra arguments: locked memory of a slave",
                .text = TEXT(MASTER SLAVE "ExtraArguments=-overcommit mem-lock=on\n"),
                .error = "test.platform:11: [Processor s] ExtraArguments=: -overcommit mem-lock=on is not "
                         "possible here: a grant would populate all of the memory; use mem-lock=on-fault",
        },
};

static void test_arguments(void **state) {
        platform_cases_check(arguments_cases, G_N_ELEMENTS(arguments_cases));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_syntax),
                cmocka_unit_test(test_arguments),
        };

        return cmocka_run_group_tests(tests, platform_cases_set_up, platform_cases_tear_down);
}
