/* SPDX-License-Identifier: Apache-2.0
 *
 * aws_public.h - is a bucket's policy public, in the sense of S3's Block Public Access?
 *
 * Source: S3 User Guide, "Blocking public access to your Amazon S3 storage", "The meaning of public":
 * a policy is public unless each statement that allows grants to fixed principals, or to fixed values
 * of certain condition keys.
 */
#ifndef KIM_AWS_PUBLIC_H
#define KIM_AWS_PUBLIC_H

#include "controller/evaluate/rules.h"

bool policies_are_public(const policy_set *set);

#endif
