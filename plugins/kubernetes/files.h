/* SPDX-License-Identifier: Apache-2.0
 *
 * files.h - a cluster from what kubectl printed, and from manifests.
 */
#ifndef KUBERNETES_FILES_H
#define KUBERNETES_FILES_H

#include <kim/plugin.h>

#include "plugins/kubernetes/records.h"

typedef struct k8s_files {
    kim_setting paths;      /* files and folders */
    kim_text namespace;     /* of a namespaced object that does not say its own */
    bool skip_bad;          /* take the rest where a file cannot be read */
} k8s_files;

/* 0: no; 1: objects of Kubernetes, perhaps none that bears on access; 2: surely. */
int k8s_recognise(kim_text head);

/* Everything below the paths, as one snapshot of one cluster. Of an object that several files hold, the one with the
 * greatest resourceVersion counts, else the last in the order of the paths. Aggregated ClusterRoles without a uid come
 * from manifests, and are computed.
 * Errors: KIM_ERR_IO, KIM_ERR_INPUT, those of k8s_put_cluster */
int k8s_collect_files(k8s_out *out, const k8s_files *from, kim_error *err);
/* The same of one file's bytes. */
int k8s_normalise_file(k8s_out *out, const k8s_files *from, const char *name, kim_text bytes, kim_error *err);

#endif
