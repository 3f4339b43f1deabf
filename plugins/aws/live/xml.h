/* SPDX-License-Identifier: Apache-2.0
 *
 * xml.h - an XML answer of AWS as the JSON that the AWS CLI prints for it.
 *
 * Pure, and bounded: no document type, no entities but the five of XML, no more depth than any answer
 * has, one pass.
 */
#ifndef AWS_LIVE_XML_H
#define AWS_LIVE_XML_H

#include <kim/arena.h>
#include <kim/error.h>
#include <kim/text.h>

enum { AWS_XML_MAX_DEPTH = 64, AWS_XML_MAX_TEXT = 4 * 1024 * 1024 }; /* a text: a credential report */

/* EC2's answers name things otherwise than the CLI: vpcEndpointSet/item/vpcEndpointId there is
 * VpcEndpoints[].VpcEndpointId here. */
typedef enum aws_xml_style { AWS_XML_PLAIN, AWS_XML_EC2 } aws_xml_style;

/* origin  names the answer in messages: "iam:ListUsers page 2"
 * Returns JSON text in the arena, absent with err: KIM_ERR_INPUT (no XML, or an answer that breaks off),
 * KIM_ERR_LIMIT, KIM_ERR_NOMEM
 */
kim_text aws_xml_to_json(kim_arena *arena, kim_text xml, aws_xml_style style, const char *origin, kim_error *err);

#endif
