# SPDX-License-Identifier: LGPL-2.1-or-later
# Fish completion of hetctl. Names come from hetd, if it is there; it is given a second to answer. Verbs are those that its help lists.

function __hetctl_names
    set -l bus (string match -- --user (commandline -poc); string match -- --system (commandline -poc))
    hetctl $bus --timeout=1s __complete $argv[1] 2>/dev/null
end

function __hetctl_verbs
    hetctl --help | string replace -rf '^  ([a-z]+) .{20,30}([A-Z].*)$' '$1\t$2'
end

# The verb is the first word that is no option; __hetctl_verb alone: there is one
function __hetctl_verb
    for word in (commandline -poc)[2..]
        string match -q -- '-*' $word; and continue
        contains -- $word $argv
        return
    end
    return 1
end

function __hetctl_no_verb
    for word in (commandline -poc)[2..]
        string match -q -- '-*' $word; or return 1
    end
end

complete -c hetctl -f
complete -c hetctl -n __hetctl_no_verb -a '(__hetctl_verbs)'
complete -c hetctl -l user -d 'The hetd of this user'
complete -c hetctl -l system -d 'The hetd of the system'
complete -c hetctl -s H -l host -x -a '(__fish_print_hostnames)' -d 'The hetd of another host'
complete -c hetctl -s j -l json -a 'short pretty off' -d 'Print JSON'
complete -c hetctl -s t -l timeout -x -a '10s 1min infinity' -d 'Longest wait'
complete -c hetctl -s q -l quiet -d 'Errors and asked-for data only'
complete -c hetctl -l no-ask-password -d 'Do not ask for a password that polkit may want'
complete -c hetctl -l no-pager -d 'Do not show long output in a pager'
complete -c hetctl -s h -l help -d Help
complete -c hetctl -l version -d 'Version of hetctl'

complete -c hetctl -n '__hetctl_verb start define verify' -F -a '(__hetctl_names startable)'
complete -c hetctl -n '__hetctl_verb start define reconfigure verify' -s s -l set -x -d 'Value for ${NAME} in the file'
complete -c hetctl -n '__hetctl_verb start define' -s n -l name -x -d 'Name of the platform'
complete -c hetctl -n '__hetctl_verb reconfigure' -F
complete -c hetctl -n '__hetctl_verb start stop' -l no-wait -d 'Return at once'
complete -c hetctl -n '__hetctl_verb start' -s w -l wait -d 'Wait for the end of the platform, too'
complete -c hetctl -n '__hetctl_verb reconfigure stop pause resume remove graph' -a '(__hetctl_names platforms)'
complete -c hetctl -n '__hetctl_verb start' -l if-stopped -d 'One that runs is as good'
complete -c hetctl -n '__hetctl_verb remove' -l if-stopped -d 'Leave others alone'
complete -c hetctl -n '__hetctl_verb boot halt kick attach detach coredump' -a '(__hetctl_names slaves)'
complete -c hetctl -n '__hetctl_verb boot' -s e -l entry -x -d 'Address of the first instruction'
complete -c hetctl -n '__hetctl_verb boot' -s a -l argument -x -d 'Number that the guest is given'
complete -c hetctl -n '__hetctl_verb boot' -s p -l protocol -x -a 'auto raw linux vector-table' -d 'How the CPU is set up'
complete -c hetctl -n '__hetctl_verb boot' -l firmware -r -F -d 'Load this file'
complete -c hetctl -n '__hetctl_verb boot' -l no-load -d 'Load nothing'
complete -c hetctl -n '__hetctl_verb kick' -l from-slave -d 'To the master'
complete -c hetctl -n '__hetctl_verb attach' -F -a dbus:org.qemu -s c -l connect -d 'Connect here'
complete -c hetctl -n '__hetctl_verb reset restart' -a '(__hetctl_names processors)'
complete -c hetctl -n '__hetctl_verb status describe monitor top console log' -a '(__hetctl_names platforms; __hetctl_names processors)'
complete -c hetctl -n '__hetctl_verb list' -s a -l all -d 'Also files that are not loaded'
complete -c hetctl -n '__hetctl_verb console' -l history -d 'First show what it printed before'
complete -c hetctl -n '__hetctl_verb console log' -s n -l lines -x -d 'Lines of it'
complete -c hetctl -n '__hetctl_verb console' -s f -l follow -d 'Go on when the input has ended'
complete -c hetctl -n '__hetctl_verb log' -s f -l follow -d 'Go on with what is printed from now on'
complete -c hetctl -n '__hetctl_verb console' -s u -l until -x -d 'Leave when it has printed this'
complete -c hetctl -n '__hetctl_verb status' -s d -l interval -x -d 'Count interrupts for this time'
complete -c hetctl -n '__hetctl_verb top' -s d -l interval -x -d 'Time between two looks'
complete -c hetctl -n '__hetctl_verb top' -s n -l iterations -x -d 'End after so many looks'
complete -c hetctl -n '__hetctl_verb coredump' -s o -l output -r -F -d 'The file that is made'
complete -c hetctl -n '__hetctl_verb graph' -s o -l output -r -F -d 'Draw it into a file'
complete -c hetctl -n '__hetctl_verb verify' -s c -l commands -d 'Print the command lines'
complete -c hetctl -n '__hetctl_verb help' -a '(__hetctl_verbs)'
