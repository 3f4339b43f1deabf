/* SPDX-License-Identifier: Apache-2.0
 *
 * who_can - who may do s3:GetObject on one object, over an account's authorization details.
 *
 * Usage: who_can GAAD.json [RUNS]. The file goes through the AWS provider as `kim scan` reads it; only the
 * question is timed, after the load.
 */
#include <stdio.h>
#include <stdlib.h>

#include "bench/account.h"
#include "controller/evaluate/evaluate.h"

typedef struct tally {
    size_t verdicts[4], statements;
} tally;

static int count(void *user, kim_text identity, const answer *a)
{
    tally *t = user;
    (void)identity;
    t->verdicts[a->verdict]++;
    t->statements += a->because_count;
    return 0;
}

int main(int argc, char **argv)
{
    int runs = argc > 2 ? atoi(argv[2]) : 21;
    kim_error err = {0};
    double times[64];
    estate_builder *builder = argc > 1 && runs > 0 && runs <= 64 ? account_read(argv[1], &err) : NULL;
    estate *es = builder ? estate_build(builder, &err) : NULL;
    evaluator *ev = es ? evaluator_new(es, &err) : NULL;
    if (ev == NULL) {
        fprintf(stderr, "who_can: %s\n", err.message[0] ? err.message : "usage: who_can GAAD.json [RUNS]");
        return 2;
    }
    tally t;
    for (int r = 0; r < runs; r++) {
        const question q = {.provider = KIM_TEXT("aws"), .action = KIM_TEXT("s3:GetObject"),
                            .resource = KIM_TEXT("arn:aws:s3:::team-7-data/x"), .discover = true, .derive = true};
        double start = cpu_s();
        t = (tally){0};
        if (evaluate_who_can(ev, &q, count, &t, &err) < 0)
            return 1;
        times[r] = (cpu_s() - start) * 1000;
    }
    double middle = median(times, (size_t)runs);
    printf("%.2f ms median, %.2f best; %zu allowed, %zu conditional, %zu unknown, %zu statements\n", middle, times[0],
           t.verdicts[ALLOWED], t.verdicts[CONDITIONAL], t.verdicts[UNKNOWN], t.statements);
    evaluator_free(ev);
    estate_release(es);
    return 0;
}
