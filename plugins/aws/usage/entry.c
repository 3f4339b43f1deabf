/* SPDX-License-Identifier: Apache-2.0
 *
 * entry.c - the plugin's options, and AWS as a store of logs, for usage.c, which knows of neither.
 */
#include "plugins/aws/live/archive.h"
#include "plugins/aws/usage/usage.h"

static int list(void *context, const char *place, log_store_each *each, void *each_context, kim_error *err)
{
    return aws_archive_list(context, place, each, each_context, err);
}

static void begin(void *context, const char *path)
{
    aws_archive_begin(context, path);
}

int aws_usage(aws_plugin *self, kim_error *err)
{
    kim_setting logs = aws_setting(self, "logs");
    const char *account = aws_setting_text(self, "account");
    bool is_far = false;
    for (uint32_t i = 0; i < logs.count; i++)
        is_far |= aws_archive_is_place(logs.values[i]);
    if (!is_far)
        return aws_usage_logs(self->host, logs.values, logs.count, account, err);
    aws_archive *archive = aws_archive_open(self, err);
    if (!archive)
        return -1;
    log_store store = {archive, aws_archive_is_place, list, begin, aws_archive_read};
    int status = aws_usage_from(self->host, &store, logs.values, logs.count, account, err);
    aws_archive_close(archive);
    return status;
}
