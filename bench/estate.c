/* SPDX-License-Identifier: Apache-2.0
 *
 * estate - an estate of four clouds and a broker, made once, then loaded cold and evaluated as a whole.
 *
 *   estate make STORE IDENTITIES   writes a store as agents' snapshots would have left it
 *   estate load STORE [THREADS]    loads it, works out every identity's effective set; one line of JSON
 *   estate change STORE [TIMES]    loads it, then publishes a changed policy so often, and each time reads what
 *                                  changed and works out anew whom it touches; one line of JSON
 *
 * Of the identities 40 % are AWS's, 20 % Azure's, 15 % Google Cloud's, 20 % Kubernetes' and 5 % a broker's. Each has
 * one of some ten thousand sets of policies, by attachments of its own or through a group; a fifth of the
 * statements (of Azure's and Google's attachments) have resources and conditions. Everything is seeded: the
 * same number of identities gives the same records.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "bench/account.h"
#include "controller/evaluate/catalogue.h"
#include "controller/evaluate/evaluate.h"
#include "controller/load.h"
#include "controller/store/store.h"

static void die(const char *what, const kim_error *err)
{
    fprintf(stderr, "estate: %s: %s\n", what, err->message);
    exit(1);
}

/* ---- a seed for each thing, so that no order matters ---- */

static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= UINT64_C(0xBF58476D1CE4E5B9);
    x ^= x >> 27;
    x *= UINT64_C(0x94D049BB133111EB);
    return x ^ x >> 31;
}

static unsigned pick(uint64_t what, uint64_t which, unsigned below)
{
    return (unsigned)(mix(what * UINT64_C(0x9E3779B97F4A7C15) + which) % below);
}

/* ---- writing ---- */

enum { BATCH = 2000 };

typedef struct writer {
    store *st;
    store_mark mark;
    kim_arena *arena;
    kim_bytes bytes;
    store_change changes[BATCH];
    size_t offsets[BATCH], count;
    uint64_t records, sequence;
} writer;

static writer out;

static void flush(void)
{
    kim_error err = {0};
    for (size_t i = 0; i < out.count; i++)
        out.changes[i].bytes = out.bytes.data + out.offsets[i];
    if (out.count && store_stage(out.st, &out.mark, 1, out.changes, out.count, &err) < 0)
        die("stage", &err);
    out.count = 0;
    out.bytes.size = 0;
    kim_arena_reset(out.arena);
}

static void add(kim_record r)
{
    kim_error err = {0};
    store_change *change = &out.changes[out.count];
    out.offsets[out.count] = out.bytes.size;
    *change = (store_change){.type = r.type, .scope = kim_text_copy(out.arena, r.scope)};
    if (kim_record_check(&r, &err) < 0 || kim_record_encode(&r, &out.bytes, &err) < 0)
        die("record", &err);
    change->size = out.bytes.size - out.offsets[out.count];
    kim_record_key(&r, change->key);
    out.records++;
    if (++out.count == BATCH)
        flush();
}

static void begin(const char *stream)
{
    kim_error err = {0};
    out.mark = (store_mark){.agent = KIM_TEXT("bench"), .stream = kim_text_of(stream)};
    out.records = 0;
    if (store_begin(out.st, &err) < 0 || store_stage_begin(out.st, &out.mark, 1, true, &err) < 0)
        die(stream, &err);
}

static void publish(void)
{
    kim_error err = {0};
    flush();
    double start = wall_s();
    if (store_publish(out.st, &out.mark, 1, out.records, NULL, 1000, &err) < 0 || store_commit(out.st, &err) < 0)
        die("publish", &err);
    printf("%.*s: %llu records, published in %.1f s\n", KIM_PRINT(out.mark.stream), (unsigned long long)out.records, wall_s() - start);
}

static kim_text text(const char *format, ...) __attribute__((format(printf, 1, 2)));
static kim_text text(const char *format, ...)
{
    char bytes[512];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(bytes, sizeof bytes, format, args);
    va_end(args);
    return kim_text_copy(out.arena, (kim_text){bytes, (size_t)size});
}

static kim_texts list(size_t count, const kim_text *items)
{
    kim_text *copy = KIM_NEW_ARRAY(out.arena, kim_text, count ? count : 1);
    memcpy(copy, items, count * sizeof *items);
    return (kim_texts){copy, count};
}

static void scope(kim_text id, const char *kind, kim_text parent)
{
    kim_record r = {.type = KIM_SCOPE, .scope = id};
    r.as_scope = (kim_scope){.id = id, .kind = kim_text_of(kind), .parent = parent};
    add(r);
}

static void identity(kim_text of, kim_text id, kim_identity_kind kind)
{
    kim_record r = {.type = KIM_IDENTITY, .scope = of};
    r.identity = (kim_identity){.id = id, .kind = kind};
    add(r);
}

static void policy(kim_text of, kim_text id, const char *kind)
{
    kim_record r = {.type = KIM_POLICY, .scope = of};
    r.policy = (kim_policy){.id = id, .version = kim_text_starts_with(of, KIM_TEXT("aws:")) ? KIM_TEXT("2012-10-17") : KIM_NO_TEXT, .kind = kim_text_of(kind)};
    add(r);
}

static void attach(kim_text of, kim_attachment a)
{
    kim_record r = {.type = KIM_ATTACHMENT, .scope = of};
    r.attachment = a;
    add(r);
}

static void member(kim_text of, kim_text from, kim_text to)
{
    kim_record r = {.type = KIM_EDGE, .scope = of};
    r.edge = (kim_edge){.kind = KIM_MEMBER_OF, .from = from, .to = to, .via = KIM_TEXT("group")};
    add(r);
}

static void profile(kim_text of, kim_profile p)
{
    kim_record r = {.type = KIM_PROFILE, .scope = of};
    r.profile = p;
    add(r);
}

static void coverage(kim_text of, const char *part)
{
    kim_record r = {.type = KIM_COVERAGE, .scope = of};
    r.coverage = (kim_coverage){.part = kim_text_of(part), .status = KIM_READ};
    add(r);
}

/* How many there are of each thing, by the number of identities. */
typedef struct counts {
    unsigned identities, groups, homes, policies, sets; /* homes: accounts, subscriptions, projects, namespaces */
} counts;

static unsigned at_least(unsigned n, unsigned least)
{
    return n < least ? least : n;
}

static counts counts_of(unsigned identities, unsigned per_home, unsigned policies, unsigned sets)
{
    unsigned groups = at_least(identities / 100, 4);
    return (counts){identities, groups > 4000 ? 4000 : groups, at_least(identities / per_home, 4), policies, sets < identities / 4 ? sets : at_least(identities / 4, 1)};
}

/* The i-th policy of a set; false past its last. Two to four a set. */
static bool policy_of_set(const counts *c, uint64_t salt, unsigned set, unsigned i, unsigned most, unsigned *found)
{
    *found = pick(salt + 1 + i, set, c->policies);
    return i < most - pick(salt, set, most > 2 ? 3 : 1);
}

/* ---- AWS ---- */

static const char *const aws_actions[] = {"s3:Get*", "s3:PutObject", "s3:ListBucket", "ec2:Describe*", "ec2:RunInstances", "dynamodb:*", "dynamodb:GetItem", "kms:Decrypt",
    "sqs:SendMessage", "sns:Publish", "lambda:InvokeFunction", "logs:*", "ssm:GetParameter*", "iam:List*", "iam:GetRole", "sts:AssumeRole", "secretsmanager:GetSecretValue",
    "cloudwatch:PutMetricData", "ecr:*", "eks:DescribeCluster", "rds:Describe*", "autoscaling:*", "kinesis:PutRecord", "events:PutRule", "states:StartExecution", "*:List*"};
enum { AWS_ACTIONS = sizeof aws_actions / sizeof *aws_actions };

static void aws_statement(kim_text of, kim_text id, unsigned p, unsigned s)
{
    kim_text actions[8], resources[2] = {KIM_TEXT("*"), KIM_NO_TEXT};
    unsigned count = 1 + pick(31 + s, p, 6), narrow = pick(37 + s, p, 5) == 0;
    for (unsigned i = 0; i < count; i++)
        actions[i] = kim_text_of(aws_actions[pick(41 + s * 8 + i, p, AWS_ACTIONS)]);
    if (narrow) {
        resources[0] = text("arn:aws:s3:::team-%u-*", pick(43 + s, p, 400));
        resources[1] = text("arn:aws:s3:::team-%u-*/${aws:username}/*", pick(43 + s, p, 400));
    }
    kim_record r = {.type = KIM_STATEMENT, .scope = of};
    r.statement = (kim_statement){.policy = id, .index = s, .effect = pick(47 + s, p, 16) ? KIM_ALLOW : KIM_DENY, .actions = list(count, actions), .resources = list(1 + narrow, resources)};
    if (narrow)
        r.statement.condition = (kim_condition){KIM_TEXT("aws"), text("{\"IpAddress\":{\"aws:SourceIp\":[\"10.%u.0.0/16\"]},\"StringEquals\":{\"aws:PrincipalTag/team\":\"t-%u\"}}",
                                                                      pick(53, p, 256), pick(59, p, 40))};
    add(r);
}

static kim_text aws_policy_id(unsigned p)
{
    return text("arn:aws:iam::aws:policy/bench/policy-%05u", p);
}

static kim_text aws_account(unsigned a)
{
    return text("aws:%012u", 100000000 + a);
}

static void aws_guardrails(const counts *c)
{
    kim_text org = KIM_TEXT("aws:o-bench"), root = KIM_TEXT("aws:o-bench/r-1"), all = KIM_TEXT("*");
    scope(org, "organisation", KIM_NO_TEXT);
    scope(root, "ou", org);
    for (unsigned u = 0; u < 8; u++)
        scope(text("aws:o-bench/ou-%u", u), "ou", root);
    for (unsigned a = 0; a < c->homes; a++) {
        scope(aws_account(a), "account", text("aws:o-bench/ou-%u", a % 8));
        coverage(aws_account(a), "iam");
    }
    for (unsigned l = 0; l < 9; l++) {
        kim_text id = text("scp-%u", l), denied[2] = {KIM_TEXT("organizations:LeaveOrganization"), text("%s:Delete*", l % 2 ? "rds" : "eks")};
        kim_record r = {.type = KIM_STATEMENT, .scope = org};
        policy(org, id, "scp");
        r.statement = (kim_statement){.policy = id, .index = 0, .effect = KIM_ALLOW, .actions = list(1, &all), .resources = list(1, &all)};
        add(r);
        r.statement = (kim_statement){.policy = id, .index = 1, .effect = KIM_DENY, .actions = list(2, denied), .resources = list(1, &all)};
        add(r);
        attach(org, (kim_attachment){.policy = id, .layer = KIM_TEXT("scp"), .on_scope = l ? text("aws:o-bench/ou-%u", l - 1) : root});
    }
}

static kim_text aws_id(const counts *c, unsigned i, kim_text *of)
{
    unsigned a = i % c->homes;
    *of = aws_account(a);
    return i % 4 ? text("arn:aws:iam::%012u:role/svc/role-%07u", 100000000 + a, i) : text("arn:aws:iam::%012u:user/user-%07u", 100000000 + a, i);
}

static kim_text aws_group(unsigned a, unsigned g)
{
    return text("arn:aws:iam::%012u:group/group-%u", 100000000 + a, g);
}

static void aws_attach_set(const counts *c, kim_text of, kim_text who, unsigned set)
{
    for (unsigned i = 0, p; policy_of_set(c, 100, set, i, 5, &p); i++)
        attach(of, (kim_attachment){.policy = aws_policy_id(p), .layer = KIM_TEXT("identity"), .subject = who});
}

static void make_aws(unsigned identities)
{
    const counts c = counts_of(identities, 2000, 3000, 20000);
    kim_text library = KIM_TEXT("aws:aws");
    begin("aws/state");
    profile(KIM_TEXT("aws:o-bench"), (kim_profile){.id = KIM_TEXT("aws"), .combining = KIM_TEXT("layered"), .catalogue = KIM_TEXT("aws")});
    aws_guardrails(&c);
    for (unsigned p = 0; p < c.policies; p++) {
        policy(library, aws_policy_id(p), "managed");
        for (unsigned s = 0; s < 3 + pick(29, p, 4); s++)
            aws_statement(library, aws_policy_id(p), p, s);
    }
    for (unsigned a = 0; a < c.homes; a++)
        for (unsigned g = 0; g < 8; g++) {
            identity(aws_account(a), aws_group(a, g), KIM_GROUP);
            aws_attach_set(&c, aws_account(a), aws_group(a, g), pick(61, a * 8 + g, c.sets));
        }
    for (unsigned i = 0; i < c.identities; i++) {
        kim_text of, who = aws_id(&c, i, &of);
        identity(of, who, i % 4 ? KIM_ROLE : KIM_HUMAN);
        if (i % 4 == 0)
            member(of, who, aws_group(i % c.homes, pick(67, i, 8)));
        else
            aws_attach_set(&c, of, who, pick(71, i, c.sets));
        if (i % 10 == 3)
            attach(of, (kim_attachment){.policy = aws_policy_id(pick(73, i, 20)), .layer = KIM_TEXT("boundary"), .subject = who});
    }
    publish();
}

/* ---- Azure ---- */

static kim_text azure_role(unsigned p)
{
    return text("cccccccc-0000-4000-8000-%012u", p);
}

static kim_text azure_subscription(unsigned s)
{
    return text("azure:10000000-0000-4000-8000-%012u", s);
}

static void azure_assign(const counts *c, kim_text who, unsigned which, unsigned set)
{
    static const char condition[] = "((!(ActionMatches{'Microsoft.Storage/storageAccounts/blobServices/containers/blobs/read'})) OR "
                                    "(@Resource[Microsoft.Storage/storageAccounts/blobServices/containers:name] StringEquals 'c%u'))";
    for (unsigned i = 0, p; policy_of_set(c, 200, set, i, 4, &p); i++) {
        unsigned s = pick(211, which, c->homes), level = pick(213 + i, which, 10);
        kim_text on = level == 0 ? text("azure:bench-tenant/mg/mg-%u", pick(217, which, 40)) : level < 4 ? azure_subscription(s) : text("azure:10000000-0000-4000-8000-%012u/rg-%u", s, pick(219, which, 10));
        kim_attachment a = {.policy = azure_role(p), .layer = KIM_TEXT("assignment"), .subject = who, .on_scope = on, .inherit = KIM_INHERIT_TREE, .origin = KIM_EXPLICIT};
        if (pick(223 + i, which, 5) == 0)
            a.condition = (kim_condition){KIM_TEXT("azure"), text(condition, which % 7)};
        attach(on, a);
    }
}

static void make_azure(unsigned identities)
{
    static const char *const providers[] = {"Microsoft.Compute/virtualMachines", "Microsoft.Storage/storageAccounts", "Microsoft.Network/virtualNetworks", "Microsoft.Web/sites", "Microsoft.Sql/servers",
                                            "Microsoft.KeyVault/vaults", "Microsoft.ContainerService/managedClusters", "Microsoft.Insights/metrics"};
    static const char *const verbs[] = {"read", "write", "*", "delete", "start/action"};
    const counts c = counts_of(identities, 1000, 800, 6000);
    kim_text tenant = KIM_TEXT("azure:bench-tenant"), people = KIM_TEXT("dir:bench-tenant");
    begin("azure/state");
    profile(tenant, (kim_profile){.id = KIM_TEXT("azure"), .combining = KIM_TEXT("layered"), .default_effect = KIM_DENY, .wildcard = KIM_TEXT("glob"), .letter_case = KIM_TEXT("insensitive"),
                                  .layers = {(const kim_pair[]){{KIM_TEXT("assignment"), KIM_TEXT("grant")}, {KIM_TEXT("deny"), KIM_TEXT("veto")}}, 2}});
    scope(tenant, "organisation", KIM_NO_TEXT);
    scope(people, "directory", KIM_NO_TEXT);
    for (unsigned m = 0; m < 40; m++)
        scope(text("azure:bench-tenant/mg/mg-%u", m), "management_group", m ? text("azure:bench-tenant/mg/mg-%u", (m - 1) / 3) : tenant);
    for (unsigned s = 0; s < c.homes; s++) {
        scope(azure_subscription(s), "subscription", text("azure:bench-tenant/mg/mg-%u", 13 + s % 27));
        for (unsigned g = 0; g < 10; g++)
            scope(text("azure:10000000-0000-4000-8000-%012u/rg-%u", s, g), "resource_group", azure_subscription(s));
    }
    for (unsigned p = 0; p < c.policies; p++) {
        policy(tenant, azure_role(p), "role");
        for (unsigned s = 0; s < 3 + pick(229, p, 3); s++) {
            kim_text actions[3];
            for (unsigned i = 0; i < 3; i++)
                actions[i] = text("%s/%s", providers[pick(231 + s * 3 + i, p, 8)], verbs[pick(241 + s * 3 + i, p, 5)]);
            kim_record r = {.type = KIM_STATEMENT, .scope = tenant};
            r.statement = (kim_statement){.policy = azure_role(p), .index = s, .effect = KIM_ALLOW, .actions = list(3, actions), .universe = pick(251 + s, p, 4) ? KIM_TEXT("control") : KIM_TEXT("data")};
            add(r);
        }
    }
    for (unsigned g = 0; g < c.groups; g++) {
        kim_text id = text("bbbbbbbb-0000-4000-8000-%012u", g);
        identity(people, id, KIM_GROUP);
        azure_assign(&c, id, 1000000000 + g, pick(253, g, c.sets));
    }
    for (unsigned i = 0; i < c.identities; i++) {
        kim_text who = text("aaaaaaaa-0000-4000-8000-%012u", i);
        identity(people, who, i % 3 ? KIM_HUMAN : KIM_SERVICE);
        if (i % 2)
            member(people, who, text("bbbbbbbb-0000-4000-8000-%012u", pick(257, i, c.groups)));
        else
            azure_assign(&c, who, pick(259, i, c.sets), pick(259, i, c.sets));
    }
    publish();
}

/* ---- Google Cloud ---- */

static void gcp_bind(const counts *c, kim_text who, unsigned which, unsigned set)
{
    for (unsigned i = 0, p; policy_of_set(c, 300, set, i, 4, &p); i++) {
        unsigned project = pick(311, which, c->homes);
        kim_text of = text("gcp:projects/%u", 100000 + project), on = pick(313 + i, which, 12) ? text("projects/%u", 100000 + project) : text("folders/%u", pick(317, which, 40));
        kim_attachment a = {.policy = text("roles/bench.role%u", p), .layer = KIM_TEXT("allow"), .subject = who, .resource = on, .inherit = KIM_INHERIT_TREE};
        if (pick(319 + i, which, 5) == 0)
            a.condition = (kim_condition){KIM_TEXT("cel"), text("request.time < timestamp(\"20%u-01-01T00:00:00Z\") && resource.name.startsWith(\"projects/x%u\")", 27 + which % 9, which % 11)};
        attach(of, a);
    }
}

static void make_gcp(unsigned identities)
{
    static const char *const services[] = {"storage.objects", "storage.buckets", "compute.instances", "bigquery.tables", "pubsub.topics", "iam.serviceAccounts", "run.services", "container.pods"};
    static const char *const verbs[] = {"get", "list", "create", "delete", "update", "getIamPolicy"};
    const counts c = counts_of(identities, 500, 900, 5000);
    kim_text org = KIM_TEXT("gcp:organizations/1");
    begin("gcp/state");
    profile(org, (kim_profile){.id = KIM_TEXT("gcp"), .combining = KIM_TEXT("layered"), .default_effect = KIM_DENY, .wildcard = KIM_TEXT("exact"), .letter_case = KIM_TEXT("sensitive"),
                               .layers = {(const kim_pair[]){{KIM_TEXT("allow"), KIM_TEXT("grant")}, {KIM_TEXT("deny"), KIM_TEXT("veto")}}, 2}});
    scope(org, "organisation", KIM_NO_TEXT);
    kim_record r = {.type = KIM_RESOURCE, .scope = org};
    r.resource = (kim_resource){.id = KIM_TEXT("organizations/1")};
    add(r);
    for (unsigned f = 0; f < 40; f++) {
        scope(text("gcp:folders/%u", f), "folder", f < 4 ? org : text("gcp:folders/%u", f % 4));
        r = (kim_record){.type = KIM_RESOURCE, .scope = text("gcp:folders/%u", f)};
        r.resource = (kim_resource){.id = text("folders/%u", f), .parent = f < 4 ? KIM_TEXT("organizations/1") : text("folders/%u", f % 4)};
        add(r);
    }
    for (unsigned p = 0; p < c.homes; p++) {
        scope(text("gcp:projects/%u", 100000 + p), "project", text("gcp:folders/%u", 4 + p % 36));
        r = (kim_record){.type = KIM_RESOURCE, .scope = text("gcp:projects/%u", 100000 + p)};
        r.resource = (kim_resource){.id = text("projects/%u", 100000 + p), .parent = text("folders/%u", 4 + p % 36)};
        add(r);
    }
    for (unsigned p = 0; p < c.policies; p++) {
        kim_text id = text("roles/bench.role%u", p), permissions[12];
        for (unsigned i = 0; i < 12; i++)
            permissions[i] = text("%s.%s", services[pick(331 + i, p, 8)], verbs[pick(347 + i, p, 6)]);
        policy(org, id, "role");
        r = (kim_record){.type = KIM_STATEMENT, .scope = org};
        r.statement = (kim_statement){.policy = id, .index = 0, .effect = KIM_ALLOW, .actions = list(12, permissions)};
        add(r);
    }
    for (unsigned g = 0; g < c.groups; g++) {
        kim_text id = text("group:g%u@example.com", g);
        r = (kim_record){.type = KIM_IDENTITY, .scope = org};
        r.identity = (kim_identity){.id = id, .kind = KIM_GROUP, .facts = {(const kim_pair[]){{KIM_TEXT("members"), KIM_TEXT("read")}}, 1}};
        add(r);
        gcp_bind(&c, id, 1000000000 + g, pick(353, g, c.sets));
    }
    for (unsigned i = 0; i < c.identities; i++) {
        kim_text who = i % 3 ? text("serviceAccount:sa%u@p%u.iam.gserviceaccount.com", i, i % c.homes) : text("user:u%u@example.com", i);
        identity(org, who, i % 3 ? KIM_WORKLOAD : KIM_HUMAN);
        if (i % 3 == 0)
            member(org, who, text("group:g%u@example.com", pick(359, i, c.groups)));
        else
            gcp_bind(&c, who, pick(367, i, c.sets), pick(367, i, c.sets));
    }
    publish();
}

/* ---- Kubernetes ---- */

static void make_kubernetes(unsigned identities)
{
    static const char *const things[] = {"pods", "pods/log", "services", "secrets", "configmaps", "deployments.apps", "jobs.batch", "*.*", "nodes", "serviceaccounts"};
    static const char *const verbs[] = {"get", "list", "watch", "create", "update", "patch", "delete", "*"};
    const counts c = counts_of(identities, 50, 500, 4000);
    begin("kubernetes/state");
    unsigned clusters = c.homes / 100 + 1;
    for (unsigned k = 0; k < clusters; k++) {
        kim_text cluster = text("k8s:c%u", k);
        scope(cluster, "cluster", KIM_NO_TEXT);
        profile(cluster, (kim_profile){.id = KIM_TEXT("kubernetes"), .combining = KIM_TEXT("allow-union"), .default_effect = KIM_DENY, .letter_case = KIM_TEXT("sensitive"),
                                       .layers = {(const kim_pair[]){{KIM_TEXT("cluster_role"), KIM_TEXT("grant")}, {KIM_TEXT("role"), KIM_TEXT("grant")}}, 2}});
        for (unsigned p = 0; p < c.policies; p++) {
            kim_text id = text("role-%u", p);
            policy(cluster, id, "cluster_role");
            for (unsigned s = 0; s < 3 + pick(401, p, 3); s++) {
                kim_text resources[2], does[2];
                for (unsigned i = 0; i < 2; i++) {
                    unsigned thing = pick(409 + s * 2 + i, p, 10);
                    resources[i] = pick(411 + s, p, 5) ? kim_text_of(things[thing]) : text("%s:name-%u", things[thing], pick(421, p, 30));
                    does[i] = kim_text_of(verbs[pick(431 + s * 2 + i, p, 8)]);
                }
                kim_record r = {.type = KIM_STATEMENT, .scope = cluster};
                r.statement = (kim_statement){.policy = id, .index = s, .effect = KIM_ALLOW, .actions = list(2, does), .resources = list(2, resources)};
                add(r);
            }
        }
    }
    for (unsigned n = 0; n < c.homes; n++)
        scope(text("k8s:c%u/ns%u", n % clusters, n), "namespace", text("k8s:c%u", n % clusters));
    for (unsigned i = 0; i < c.identities; i++) {
        unsigned n = i % c.homes, set = pick(433, i, c.sets);
        kim_text of = text("k8s:c%u/ns%u", n % clusters, n), who = text("system:serviceaccount:ns%u:sa-%u", n, i);
        identity(of, who, KIM_WORKLOAD);
        for (unsigned k = 0, p; policy_of_set(&c, 400, set, k, 3, &p); k++) {
            kim_text on = pick(439 + k, set, 10) ? of : text("k8s:c%u", n % clusters);
            attach(on, (kim_attachment){.policy = text("role-%u", p), .layer = KIM_TEXT("cluster_role"), .subject = who, .on_scope = on});
        }
    }
    publish();
}

/* ---- a broker ---- */

static void make_broker(unsigned identities)
{
    const counts c = counts_of(identities, 1000, 250, 250);
    kim_text plant = KIM_TEXT("ot:bench"), broker = KIM_TEXT("broker");
    begin("broker/state");
    scope(plant, "plant", KIM_NO_TEXT);
    for (unsigned z = 0; z < 8; z++)
        scope(text("ot:bench/zone-%u", z), "zone", plant);
    profile(plant, (kim_profile){.id = broker, .combining = KIM_TEXT("deny-overrides"), .default_effect = KIM_DENY, .wildcard = KIM_TEXT("mqtt"), .letter_case = KIM_TEXT("sensitive")});
    for (unsigned p = 0; p < c.policies; p++) {
        kim_text id = text("acl-%u", p), who = text("cell-%u", p);
        policy(plant, id, "acl");
        identity(plant, who, KIM_GROUP);
        for (unsigned s = 0; s < 5; s++) {
            kim_text action = s % 2 ? KIM_TEXT("publish") : KIM_TEXT("subscribe"), topic = text("plant/%u/+/%s", pick(501 + s, p, 60), s % 2 ? "cmd" : "#");
            kim_record r = {.type = KIM_STATEMENT, .scope = plant};
            r.statement = (kim_statement){.policy = id, .index = s, .effect = s == 4 ? KIM_DENY : KIM_ALLOW, .actions = list(1, &action), .resources = list(1, &topic), .subjects = list(1, &who)};
            if (s == 3)
                r.statement.condition = (kim_condition){KIM_TEXT("kim"), text("station == \"HMI-%u\"", pick(509, p, 20))};
            add(r);
        }
        attach(plant, (kim_attachment){.policy = id, .layer = KIM_TEXT("statements")});
    }
    for (unsigned i = 0; i < c.identities; i++) {
        kim_text who = text("device-%u", i);
        identity(plant, who, KIM_DEVICE);
        member(plant, who, text("cell-%u", pick(521, i, c.policies)));
    }
    publish();
}

static int make(const char *path, unsigned identities)
{
    kim_error err = {0};
    out.arena = kim_arena_new((size_t)-1);
    out.st = store_open(path, 0, &err);
    if (out.st == NULL)
        die(path, &err);
    make_aws(identities / 100 * 40);
    make_azure(identities / 100 * 20);
    make_gcp(identities / 100 * 15);
    make_kubernetes(identities / 100 * 20);
    make_broker(identities / 100 * 5);
    store_close(out.st);
    kim_arena_free(out.arena);
    kim_bytes_free(&out.bytes);
    return 0;
}

/* ---- evaluating all of it ---- */

enum { PROVIDERS = 5 };
static const char *const prefixes[PROVIDERS] = {"aws:", "azure:", "gcp:", "k8s:", "ot:"};
static const char *const names[PROVIDERS] = {"aws", "azure", "gcp", "kubernetes", "broker"};

typedef struct share {
    estate *es;
    size_t part, parts;
    size_t identities, grants[PROVIDERS], people[PROVIDERS];
    double seconds[PROVIDERS];
    kim_error err;
    bool failed;
} share;

static int count_granted(void *user, kim_text id, const granted_set *what)
{
    share *s = user;
    (void)id;
    s->identities++;
    s->people[0]++;
    s->grants[0] += what->is_new;
    return 0;
}

static size_t one_provider;

static int count_grant(void *user, const grant *what, const answer *a)
{
    share *s = user;
    (void)what;
    s->grants[one_provider] += a->verdict != DENIED;
    return 0;
}

static size_t provider_of(kim_text scope_id)
{
    if (kim_text_starts_with(scope_id, KIM_TEXT("dir:")))
        return 1;
    for (size_t p = 0; p < PROVIDERS; p++)
        if (kim_text_starts_with(scope_id, kim_text_of(prefixes[p])))
            return p;
    return PROVIDERS;
}

static void list_all(share *s, evaluator *ev, size_t provider)
{
    size_t count;
    const kim_record *items = estate_records(s->es, KIM_IDENTITY, &count);
    size_t first = count * s->part / s->parts, end = count * (s->part + 1) / s->parts;
    for (size_t i = first; i < end && !s->failed; i++) {
        if (items[i].identity.kind == KIM_GROUP || provider_of(items[i].scope) != provider)
            continue;
        const question q = {.provider = kim_text_of(names[provider]), .identity = items[i].identity.id, .discover = true, .derive = true};
        s->failed = evaluate_what_can(ev, &q, count_grant, s, &s->err) < 0;
        s->identities++;
        s->people[provider]++;
    }
}

static void *evaluate_share(void *given)
{
    share *s = given;
    evaluator *ev = evaluator_new(s->es, &s->err);
    s->failed = ev == NULL || evaluate_granted_all(ev, s->part, s->parts, count_granted, s, &s->err) < 0;
    evaluator_free(ev);
    return NULL;
}

static void *list_share(void *given)
{
    share *s = given;
    evaluator *ev = evaluator_new(s->es, &s->err);
    s->failed = ev == NULL;
    if (ev)
        list_all(s, ev, one_provider);
    evaluator_free(ev);
    return NULL;
}

static void in_threads(share *shares, size_t parts, void *(*work)(void *))
{
    pthread_t threads[64];
    for (size_t i = 1; i < parts; i++)
        if (pthread_create(&threads[i], NULL, work, &shares[i]) != 0)
            exit(1);
    work(&shares[0]);
    for (size_t i = 1; i < parts; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < parts; i++)
        if (shares[i].failed)
            die("evaluate", &shares[i].err);
}

static size_t rss_mb(void)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    return (size_t)used.ru_maxrss / 1024;
}

static size_t records_of(estate *es, kim_record_type type)
{
    size_t count;
    estate_records(es, type, &count);
    return count;
}

/* ---- what there is, counted after the clock has stopped ---- */

/* Of one identity, or group: what hangs on it, a group's on its members too. */
typedef struct hanging {
    uint64_t set; /* of its policies, in any order */
    size_t statements;
} hanging;

static uint64_t hash(kim_text text)
{
    uint64_t h = text.size;
    for (size_t i = 0; i < text.size; i++)
        h = mix(h ^ (unsigned char)text.bytes[i]);
    return h;
}

static size_t statements_of(const estate *es, kim_text policy)
{
    size_t total, low = 0, count = 0;
    const kim_record *items = estate_records(es, KIM_STATEMENT, &total);
    for (size_t high = total; low < high;) {
        size_t middle = (low + high) / 2;
        if (kim_text_compare(items[middle].statement.policy, policy) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (size_t i = low; i < total && kim_text_equal(items[i].statement.policy, policy); i++)
        count += kim_text_equal(items[i].scope, items[low].scope); /* clusters have roles of one name */
    return count;
}

static int by_set(const void *left, const void *right)
{
    const hanging *a = left, *b = right;
    return (a->set > b->set) - (a->set < b->set);
}

static void hang(const estate *es, hanging *all, kim_text who, kim_text policy, size_t statements)
{
    size_t ignored;
    const kim_record *found = estate_find(es, KIM_IDENTITY, who);
    if (found) {
        hanging *one = &all[found - estate_records(es, KIM_IDENTITY, &ignored)];
        one->set += mix(hash(policy));
        one->statements += statements;
    }
}

static void count_sets(estate *es, size_t *sets, size_t *statements)
{
    size_t identities, attachments, edges, kept = 0;
    const kim_record *who = estate_records(es, KIM_IDENTITY, &identities), *items = estate_records(es, KIM_ATTACHMENT, &attachments);
    hanging *all = calloc(identities + 1, sizeof *all);
    kim_text last = KIM_NO_TEXT;
    size_t count = 0;
    for (size_t i = 0; i < attachments && all; i++) {
        const kim_attachment *a = &items[i].attachment;
        if (!kim_text_equal(last, a->policy))
            count = statements_of(es, a->policy);
        last = a->policy;
        if (!kim_text_is(a->layer, "boundary"))
            hang(es, all, a->subject.size ? a->subject : text("cell-%.*s", (int)a->policy.size - 4, a->policy.bytes + 4), a->policy, count);
    }
    items = estate_records(es, KIM_EDGE, &edges);
    for (size_t i = 0; i < edges && all; i++) {
        const kim_record *from = estate_find(es, KIM_IDENTITY, items[i].edge.from), *to = estate_find(es, KIM_IDENTITY, items[i].edge.to);
        if (from && to) {
            all[from - who].set += all[to - who].set;
            all[from - who].statements += all[to - who].statements;
        }
    }
    *sets = *statements = 0;
    for (size_t i = 0; i < identities && all; i++)
        if (who[i].identity.kind != KIM_GROUP) {
            *statements += all[i].statements;
            all[kept++] = all[i];
        }
    if (kept)
        qsort(all, kept, sizeof *all, by_set);
    for (size_t i = 0; i < kept; i++)
        *sets += i == 0 || all[i].set != all[i - 1].set;
    free(all);
}

static int load(const char *path, size_t parts)
{
    char catalogues[4096];
    kim_error err = {0};
    static share shares[64];
    double start = wall_s();
    snprintf(catalogues, sizeof catalogues, "%s/catalogue", getenv("KIM_DATA_DIR") ? getenv("KIM_DATA_DIR") : "etc");
    store *st = store_open(path, 0, &err);
    int64_t at_unix_ms;
    estate *es = st ? estate_load(st, catalogues, &at_unix_ms, &err) : NULL;
    if (es == NULL)
        die(path, &err);
    double loaded = wall_s();
    size_t loaded_mb = rss_mb();
    for (size_t i = 0; i < parts; i++)
        shares[i] = (share){.es = es, .part = i, .parts = parts};
    size_t identities = 0, grants[PROVIDERS] = {0}, people[PROVIDERS] = {0};
    double seconds[PROVIDERS];
    for (one_provider = 0; one_provider < PROVIDERS; one_provider++) {
        double begun = wall_s();
        in_threads(shares, parts, one_provider ? list_share : evaluate_share);
        seconds[one_provider] = wall_s() - begun;
    }
    for (size_t i = 0; i < parts; i++) {
        identities += shares[i].identities;
        for (size_t p = 0; p < PROVIDERS; p++) {
            grants[p] += shares[i].grants[p];
            people[p] += shares[i].people[p];
        }
    }
    double done = wall_s();
    size_t memory = rss_mb(), sets, attached;
    out.arena = kim_arena_new((size_t)-1);
    count_sets(es, &sets, &attached);
    kim_arena_free(out.arena);
    printf("{\"identities\":%zu,\"attachments\":%zu,\"edges\":%zu,\"policies\":%zu,\"statements\":%zu,\"load_s\":%.2f,\"load_mb\":%zu", identities, records_of(es, KIM_ATTACHMENT),
           records_of(es, KIM_EDGE), records_of(es, KIM_POLICY), records_of(es, KIM_STATEMENT), loaded - start, loaded_mb);
    for (size_t p = 0; p < PROVIDERS; p++)
        printf(",\"%s_s\":%.2f,\"%s_identities\":%zu,\"%s_grants\":%zu", names[p], seconds[p], names[p], people[p], names[p], grants[p]);
    printf(",\"policy_sets\":%zu,\"attached_statements\":%zu,\"wall_s\":%.2f,\"rss_mb\":%zu}\n", sets, attached, done - start, memory);
    estate_release(es);
    store_close(st);
    return 0;
}

/* ---- a changed policy ---- */

/* Turns the effect of a statement of AWS's library round, as its agent would. */
static double publish_change(store *st, const estate *es, unsigned p)
{
    kim_error err = {0};
    store_position at;
    size_t total, i = 0;
    const kim_record *items = estate_records(es, KIM_STATEMENT, &total);
    store_mark mark = {.agent = KIM_TEXT("bench"), .stream = KIM_TEXT("aws/state")};
    kim_text id = aws_policy_id(p);
    while (i < total && !kim_text_equal(items[i].statement.policy, id))
        i++;
    if (i == total || store_position_of(st, &mark, out.arena, &at, &err) < 0)
        die("change", &err);
    kim_record r = items[i];
    kim_bytes bytes = {0};
    store_change change = {.type = r.type, .scope = r.scope};
    r.statement.effect = r.statement.effect == KIM_ALLOW ? KIM_DENY : KIM_ALLOW;
    kim_record_key(&r, change.key);
    if (kim_record_encode(&r, &bytes, &err) < 0)
        die("change", &err);
    change.bytes = bytes.data;
    change.size = bytes.size;
    double start = wall_s();
    if (store_stage_begin(st, &mark, at.generation + 1, false, &err) < 0 || store_stage(st, &mark, at.generation + 1, &change, 1, &err) < 0 ||
        store_publish(st, &mark, at.generation + 1, at.count, NULL, at.published_unix_ms + 1, &err) < 0)
        die("publish", &err);
    kim_bytes_free(&bytes);
    return wall_s() - start;
}

static void compile_all(estate *es)
{
    kim_error err = {0};
    evaluator *ev = evaluator_new(es, &err);
    share s = {.es = es, .parts = 1};
    if (ev == NULL || evaluate_granted_all(ev, 0, 1, count_granted, &s, &err) < 0)
        die("evaluate", &err);
    for (size_t p = 1; p < PROVIDERS; p++) {
        const question q = {.provider = kim_text_of(names[p]), .identity = KIM_TEXT("user:nobody@example.com"), .discover = true};
        one_provider = p;
        if (evaluate_what_can(ev, &q, count_grant, &s, &err) < 0)
            die(names[p], &err);
    }
    evaluator_free(ev);
}

static int change(const char *path, size_t times)
{
    char catalogues[4096];
    kim_error err = {0};
    double published[64], changed[64];
    size_t identities = 0;
    int64_t at_unix_ms;
    snprintf(catalogues, sizeof catalogues, "%s/catalogue", getenv("KIM_DATA_DIR") ? getenv("KIM_DATA_DIR") : "etc");
    out.arena = kim_arena_new((size_t)-1);
    store *st = store_open(path, 0, &err);
    estate *es = st ? estate_load(st, catalogues, &at_unix_ms, &err) : NULL;
    if (es == NULL)
        die(path, &err);
    compile_all(es);
    for (size_t i = 0; i < times; i++) {
        published[i] = publish_change(st, es, 100 + (unsigned)i) * 1000;
        double start = wall_s();
        estate *newer = estate_reload(st, es, &at_unix_ms, &err);
        evaluator *ev = newer ? evaluator_new(newer, &err) : NULL;
        share s = {.es = newer, .parts = 1};
        if (ev == NULL || evaluate_granted_changed(ev, count_granted, &s, &err) < 0 || s.identities == 0)
            die("change", &err);
        changed[i] = (wall_s() - start) * 1000;
        identities += s.identities;
        evaluator_free(ev);
        estate_release(es);
        es = newer;
    }
    printf("{\"published_ms\":%.1f,\"changed_ms\":%.1f,\"touched\":%zu}\n", median(published, times), median(changed, times), identities / times);
    estate_release(es);
    store_close(st);
    kim_arena_free(out.arena);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "make") == 0)
        return make(argv[2], (unsigned)atoi(argv[3]));
    if ((argc == 3 || argc == 4) && strcmp(argv[1], "load") == 0)
        return load(argv[2], argc == 4 ? (size_t)atoi(argv[3]) : 2);
    if ((argc == 3 || argc == 4) && strcmp(argv[1], "change") == 0)
        return change(argv[2], argc == 4 ? (size_t)atoi(argv[3]) : 9);
    fprintf(stderr, "usage: estate make STORE IDENTITIES | load STORE [THREADS] | change STORE [TIMES, at most 64]\n");
    return 2;
}
