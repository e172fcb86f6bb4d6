/*
 * Copyright (c) 2026, plugops contributors
 * GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* mattermost.exe of a test machine: the stand-in server, in the directory that this is started in, for as long as this runs. */
#include <windows.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    char program[4096], output[4096];
    int status;

    snprintf(program, sizeof(program), "%s/drive_c/mattermost/bin/mattermost", getenv("WINEPREFIX"));
    snprintf(output, sizeof(output), "%s/../mattermost.out", getenv("WINEPREFIX"));
    pid_t child = fork();
    if (child == 0) {
        sigset_t none;
        int out = open(output, O_WRONLY | O_CREAT | O_APPEND, 0644);

        /* NSSM ends the Windows process, and with it goes the server. */
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        dup2(out, 1);
        dup2(out, 2);
        execl(program, program, NULL);
        _exit(127);
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
