/* SPDX-License-Identifier: Apache-2.0
 *
 * entry.c - the plugin's options for usage.c, which knows of no plugin.
 */
#include "plugins/aws/usage/usage.h"

int aws_usage(aws_plugin *self, kim_error *err)
{
    kim_setting logs = aws_setting(self, "logs");
    return aws_usage_logs(self->host, logs.values, logs.count, aws_setting_text(self, "account"), err);
}
