/* SPDX-License-Identifier: Apache-2.0
 *
 * main.c - kim-provider-host: one process, one plugin.
 *
 * It is started by kim-agent or kim, which speak to it on descriptor 3 (sdk/host_frames.h); a person starts it only to
 * ask what a plugin is: kim-provider-host --describe FILE.so
 */
#include "agent/provider_host/confine.h"
#include "agent/provider_host/describe.h"
#include "agent/provider_host/loader.h"
#include "agent/provider_host/session.h"
#include "sdk/host_frames.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "Usage: kim-provider-host --describe FILE.so\n"
    "       kim-provider-host FILE.so          (started by kim-agent and kim, with their socket and memory as descriptors 3 and 4)\n"
    "\n"
    "Loads one provider plugin. --describe prints its id, version, ABI, capabilities and options as JSON.\n"
    "\n"
    "  --describe   say what the plugin is, and end\n"
    "  --help       print this and end\n"
    "  --version    print the version and end\n"
    "\n"
    "Example: kim-provider-host --describe /usr/lib/kim/plugins/aws.so\n";

static int fail(const kim_error *err)
{
    fprintf(stderr, "kim-provider-host: %s\n", err->message);
    return 1;
}

static int describe(const char *path)
{
    kim_error err;
    static kim_plugin plugin; /* with its options it lives as long as the process */
    if (confine_process(STDERR_FILENO, &err) < 0 || plugin_load(path, &plugin, &err) < 0 ||
        plugin_describe(&plugin, &err) < 0)
        return fail(&err);
    return 0;
}

int main(int argc, char **argv)
{
    kim_error err;
    if (argc == 2 && !strcmp(argv[1], "--help"))
        return fputs(usage, stdout) < 0;
    if (argc == 2 && !strcmp(argv[1], "--version"))
        return puts("kim-provider-host " KIM_VERSION) < 0;
    if (argc == 3 && !strcmp(argv[1], "--describe"))
        return describe(argv[2]);
    if (argc != 2 || argv[1][0] == '-') {
        fputs(usage, stderr);
        return 2;
    }
    if (confine_process(HOST_MARK, &err) < 0 || session_run(HOST_SOCKET, HOST_MARK, argv[1], &err) < 0)
        return fail(&err);
    return 0;
}
