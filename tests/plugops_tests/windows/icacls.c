/*
 * Copyright (c) 2026, plugops contributors
 * GNU General Public License v3.0-or-later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */

/* icacls.exe of a test machine: a program of wine that hands its arguments, as Windows split them, to icacls.py. */
#include <windows.h>
#include <shellapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
    int count, i, status, ends[2];
    WCHAR **wide = CommandLineToArgvW(GetCommandLineW(), &count);
    char **words = calloc(count + 2, sizeof(char *)), buffer[4096];
    ssize_t size;
    DWORD written;

    for (i = 0; i < count; i++) {
        int length = WideCharToMultiByte(CP_UTF8, 0, wide[i], -1, NULL, 0, NULL, NULL);
        words[i] = malloc(length);
        WideCharToMultiByte(CP_UTF8, 0, wide[i], -1, words[i], length, NULL, NULL);
    }
    words[0] = malloc(4096);
    snprintf(words[0], 4096, "%s/../icacls", getenv("WINEPREFIX"));
    if (pipe(ends) != 0) return 1;
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], 1);
        dup2(ends[1], 2);
        execv(words[0], words);
        _exit(127);
    }
    close(ends[1]);
    while ((size = read(ends[0], buffer, sizeof(buffer))) > 0)
        WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), buffer, size, &written, NULL);
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
