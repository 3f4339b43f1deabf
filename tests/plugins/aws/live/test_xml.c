/* SPDX-License-Identifier: Apache-2.0
 *
 * test_xml.c - AWS's XML as the JSON that the AWS CLI prints for it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "plugins/aws/live/xml.h"

static void assert_json(const char *xml, aws_xml_style style, const char *json)
{
    kim_arena *arena = kim_arena_new(1024 * 1024);
    kim_error err = {0};
    kim_text got = aws_xml_to_json(arena, kim_text_of(xml), style, "the answer", &err);
    if (got.bytes == NULL)
        fail_msg("%s", err.message);
    assert_string_equal(got.bytes, json);
    kim_arena_free(arena);
}

static void assert_refused(const char *xml, kim_code code, const char *words)
{
    kim_arena *arena = kim_arena_new(64 * 1024 * 1024);
    kim_error err = {0};
    assert_null(aws_xml_to_json(arena, kim_text_of(xml), AWS_XML_PLAIN, "the answer", &err).bytes);
    assert_int_equal(err.code, code);
    if (strstr(err.message, words) == NULL)
        fail_msg("'%s' does not say '%s'", err.message, words);
    kim_arena_free(arena);
}

static void a_query_answer_loses_its_wrapping_and_keeps_its_lists(void **state)
{
    (void)state;
    assert_json("<?xml version=\"1.0\"?><ListUsersResponse xmlns=\"x\"><ListUsersResult><IsTruncated>false</IsTruncated><Users>"
                "<member><UserName>a&amp;b</UserName><Tags><member><Key>k</Key><Value>true</Value></member></Tags></member>"
                "<member><UserName>c</UserName><Tags/></member></Users></ListUsersResult>"
                "<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></ListUsersResponse>", AWS_XML_PLAIN,
                "{\"IsTruncated\":false,\"Users\":[{\"UserName\":\"a&b\",\"Tags\":[{\"Key\":\"k\",\"Value\":\"true\"}]},"
                "{\"UserName\":\"c\",\"Tags\":[]}]}");
}

static void an_answer_with_nothing_in_it_is_an_empty_object(void **state)
{
    (void)state;
    assert_json("<XResponse><XResult/></XResponse>", AWS_XML_PLAIN, "{}");
    assert_json("<X/>", AWS_XML_PLAIN, "{}");
}

static void a_map_becomes_an_object(void **state)
{
    (void)state;
    assert_json("<R><Attributes><entry><key>Policy</key><value>{\"a\":1}</value></entry><entry><key>b</key><value/></entry>"
                "</Attributes></R>", AWS_XML_PLAIN, "{\"Attributes\":{\"Policy\":\"{\\\"a\\\":1}\",\"b\":\"\"}}");
}

static void s3_answers_have_the_names_that_the_cli_gives_them(void **state)
{
    (void)state;
    assert_json("<LocationConstraint xmlns=\"s\">eu-west-1</LocationConstraint>", AWS_XML_PLAIN, "{\"LocationConstraint\":\"eu-west-1\"}");
    assert_json("<LocationConstraint xmlns=\"s\"/>", AWS_XML_PLAIN, "{\"LocationConstraint\":null}");
    assert_json("<AccessControlPolicy><Owner><ID>1</ID></Owner><AccessControlList><Grant><Grantee xmlns:xsi=\"h\" xsi:type=\"Group\">"
                "<URI>all</URI></Grantee><Permission>READ</Permission></Grant></AccessControlList></AccessControlPolicy>", AWS_XML_PLAIN,
                "{\"Owner\":{\"ID\":\"1\"},\"Grants\":[{\"Grantee\":{\"Type\":\"Group\",\"URI\":\"all\"},\"Permission\":\"READ\"}]}");
    assert_json("<PublicAccessBlockConfiguration><BlockPublicAcls>true</BlockPublicAcls></PublicAccessBlockConfiguration>", AWS_XML_PLAIN,
                "{\"PublicAccessBlockConfiguration\":{\"BlockPublicAcls\":true}}");
    assert_json("<OwnershipControls><Rule><ObjectOwnership>X</ObjectOwnership></Rule></OwnershipControls>", AWS_XML_PLAIN,
                "{\"OwnershipControls\":{\"Rules\":[{\"ObjectOwnership\":\"X\"}]}}");
    assert_json("<ListBucketResult><Name>b</Name><Contents><Key>1</Key><Size>7</Size></Contents><Contents><Key>2</Key><Size>8</Size>"
                "</Contents><NextContinuationToken>t</NextContinuationToken></ListBucketResult>", AWS_XML_PLAIN,
                "{\"Name\":\"b\",\"Contents\":[{\"Key\":\"1\",\"Size\":7},{\"Key\":\"2\",\"Size\":8}],\"NextContinuationToken\":\"t\"}");
}

static void ec2_answers_have_the_names_that_the_cli_gives_them(void **state)
{
    (void)state;
    assert_json("<DescribeVpcEndpointsResponse><requestId>1</requestId><vpcEndpointSet><item><vpcEndpointId>vpce-1</vpcEndpointId>"
                "<tagSet><item><key>a</key><value>b</value></item></tagSet><dnsEntrySet><item><dnsName>d</dnsName></item></dnsEntrySet>"
                "<privateDnsEnabled>false</privateDnsEnabled></item></vpcEndpointSet></DescribeVpcEndpointsResponse>", AWS_XML_EC2,
                "{\"VpcEndpoints\":[{\"VpcEndpointId\":\"vpce-1\",\"Tags\":[{\"Key\":\"a\",\"Value\":\"b\"}],"
                "\"DnsEntries\":[{\"DnsName\":\"d\"}],\"PrivateDnsEnabled\":false}]}");
}

static void what_is_no_number_or_no_map_stays_a_text(void **state)
{
    (void)state;
    assert_json("<R><Size>.7</Size></R>", AWS_XML_PLAIN, "{\"Size\":\".7\"}");
    assert_json("<R><Size>7</Size></R>", AWS_XML_PLAIN, "{\"Size\":7}");
    assert_json("<R><A><entry><key>k</key><value>v<x>w</x></value></entry></A></R>", AWS_XML_PLAIN, "{\"A\":{\"k\":\"\"}}");
}

static void an_answer_that_breaks_off_is_refused_with_its_line(void **state)
{
    (void)state;
    assert_refused("<R>\n<Users><member><UserName>a</UserName></member>", KIM_ERR_INPUT, "the answer: line 2");
    assert_refused("", KIM_ERR_INPUT, "breaks off");
    assert_refused("{\"a\":1}", KIM_ERR_INPUT, "is no XML");
    assert_refused("<a></b>", KIM_ERR_INPUT, "is no XML");
    assert_refused("<a/><b/>", KIM_ERR_INPUT, "is no XML");
}

static void entities_and_depth_have_their_limits(void **state)
{
    (void)state;
    assert_refused("<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", KIM_ERR_INPUT, "document type");
    assert_refused("<!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>", KIM_ERR_INPUT, "document type");
    char *deep = malloc(3 * 10000 + 1);
    for (size_t i = 0; i < 10000; i++)
        memcpy(deep + 3 * i, "<a>", 3);
    deep[30000] = '\0';
    assert_refused(deep, KIM_ERR_LIMIT, "nests deeper");
    free(deep);
    size_t size = 5 * 1024 * 1024;
    char *wide = malloc(size + 16);
    memset(wide, 'x', size);
    memcpy(wide, "<a>", 3);
    strcpy(wide + size, "</a>");
    assert_refused(wide, KIM_ERR_LIMIT, "text past 4 MiB");
    free(wide);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_answer_loses_its_wrapping_and_keeps_its_lists),
        cmocka_unit_test(an_answer_with_nothing_in_it_is_an_empty_object),
        cmocka_unit_test(a_map_becomes_an_object),
        cmocka_unit_test(s3_answers_have_the_names_that_the_cli_gives_them),
        cmocka_unit_test(ec2_answers_have_the_names_that_the_cli_gives_them),
        cmocka_unit_test(what_is_no_number_or_no_map_stays_a_text),
        cmocka_unit_test(an_answer_that_breaks_off_is_refused_with_its_line),
        cmocka_unit_test(entities_and_depth_have_their_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
