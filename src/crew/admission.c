/* admission.c -- a fresh connection is let in, let into the reserve, or closed.
 *
 *     under all limits        in
 *     over one                into the reserve: it may publish and ask for
 *                             health, must be quick, and is told what it is over
 *                             when it wants anything else
 *     no room there either    closed without a word: an EventSource comes back
 *                             after that, and after no status but 200
 *
 * The reserve is `connections_reserve` beyond connections_max, and no address
 * has more than a quarter of it. What one address is over takes nothing from
 * the others: its limits come first, and what they stop is not counted among
 * the connections that come in a second.
 *
 * Trusted proxies are not counted by address: their clients are, connection by
 * connection with the PROXY protocol, else request by request.
 */
#include <tidings/admission.h>

#include "base/seeded_bug.h"

#include <string.h>

enum { RESERVED_DESCRIPTORS = 128, CONNECTIONS_MOST = 10000000 };

static const enum metric over_metrics[LIMIT_COUNT] = {
#define L(name, setting, status, sentence)                                     \
    [LIMIT_##name] = METRIC_over_##setting,
    LIMITS(L)
#undef L
};

/* What is left of the descriptors when the journal and NATS have theirs. */
static uint64_t share_of_files(uint64_t files)
{
    return files > 2 * RESERVED_DESCRIPTORS ? files - RESERVED_DESCRIPTORS
                                            : files / 2;
}

static unsigned at_least_one(uint64_t number)
{
    return number > 0 ? (unsigned)number : 1;
}

void admissions_open(struct admissions *admissions, const struct config *config,
                     uint64_t files, struct metrics *metrics)
{
    uint64_t most = share_of_files(files);
    uint64_t reserve = (uint64_t)config->connections_reserve;

    if (most > CONNECTIONS_MOST)
        most = CONNECTIONS_MOST;
    if (reserve > most / 4)
        reserve = most / 4;
    most -= reserve;
    if (config->connections_max > 0 && (uint64_t)config->connections_max < most)
        most = (uint64_t)config->connections_max;
    *admissions = (struct admissions){
        .config = config,
        .metrics = metrics,
        .connections_max = at_least_one(most),
        .reserve = seeded_bug("limits-no-reserve") ? 0 : (unsigned)reserve,
        .per_address = config->connections_per_address > 0
                           ? (unsigned)config->connections_per_address
                           : at_least_one(most * 3 / 4),
        .reserve_per_address = at_least_one(reserve / 4),
    };
    admissions->accounts =
        accounts_create(admissions->connections_max + admissions->reserve);
    networks_init(&admissions->proxies, text_of(config->trusted_proxies));
}

void admissions_close(struct admissions *admissions)
{
    accounts_destroy(&admissions->accounts);
    networks_fini(&admissions->proxies);
}

static enum account_hold hold_of(const struct admission *admission)
{
    return admission->limit == LIMIT_NONE ? HOLD_CONNECTIONS : HOLD_RESERVED;
}

void admissions_give_back(struct admissions *admissions,
                          struct admission *admission)
{
    accounts_give_back(admissions->accounts, admission->account,
                       hold_of(admission));
    accounts_unref(admissions->accounts, &admission->account);
}

/* ---- limits ---------------------------------------------------------------- */

static enum limit address_limit(struct admissions *admissions,
                                account_id account, int64_t now_us)
{
    const struct charge charge = {
        RATE_CONNECTIONS, 1,
        (uint64_t)admissions->config->connections_per_address_per_second};
    enum account_rate over;

    if (accounts_spend(admissions->accounts, account, &charge, 1, now_us,
                       &over) > 0)
        return LIMIT_ADDRESS_PER_SECOND;
    if (!accounts_hold(admissions->accounts, account, HOLD_CONNECTIONS,
                       admissions->per_address))
        return LIMIT_PER_ADDRESS;
    return LIMIT_NONE;
}

static enum limit whole_limit(struct admissions *admissions, unsigned open,
                              int64_t now_us)
{
    const int64_t per_second = admissions->config->connections_per_second;
    int64_t cost_us;

    if (open >= admissions->connections_max)
        return LIMIT_CONNECTIONS;
    if (per_second == 0)
        return LIMIT_NONE;
    cost_us = rate_cost_us(1, (uint64_t)per_second);
    if (rate_wait_us(&admissions->rate, cost_us, now_us) > 0)
        return LIMIT_PER_SECOND;
    rate_take(&admissions->rate, cost_us, now_us);
    return LIMIT_NONE;
}

/* True: into the reserve. */
static bool has_reserve(struct admissions *admissions, account_id account)
{
    return admissions->reserve > 0 &&
           accounts_hold(admissions->accounts, account, HOLD_RESERVED,
                         admissions->reserve_per_address);
}

/* ---- a connection ---------------------------------------------------------- */

static bool has_proxy_protocol(const struct config *config, bool is_tls)
{
    return strcmp(config->proxy_protocol, "on") == 0 ||
           strcmp(config->proxy_protocol, is_tls ? "https" : "http") == 0;
}

/* Where a PROXY header is wanted, only proxies may come; and this machine's own
 * programs, which say none, unless they stand in the list of proxies. */
static bool is_stranger(const struct admissions *admissions,
                        const struct arrival *arrival)
{
    return has_proxy_protocol(admissions->config, arrival->is_tls) &&
           !address_is_loopback(&arrival->peer) &&
           !address_equals(&arrival->peer, &arrival->local) &&
           !networks_contain(&admissions->proxies, &arrival->peer);
}

bool admissions_need_header(const struct admissions *admissions,
                            const struct address *peer, bool is_tls)
{
    return has_proxy_protocol(admissions->config, is_tls) &&
           (networks_contain(&admissions->proxies, peer) ||
            seeded_bug("limits-header-from-all"));
}

bool admissions_admit(struct admissions *admissions,
                      const struct arrival *arrival, unsigned open,
                      int64_t now_us, struct admission *admission_out)
{
    const struct address *peer = &arrival->peer;
    struct accounts *accounts = admissions->accounts;
    struct admission admission = {
        .is_proxied = networks_contain(&admissions->proxies, peer),
        .needs_header =
            admissions_need_header(admissions, peer, arrival->is_tls)};

    if (is_stranger(admissions, arrival)) {
        metrics_add(admissions->metrics, METRIC_proxy_headers_refused, 1);
        return false;
    }
    if (!admission.is_proxied) {
        admission.account = accounts_ref_address(accounts, peer);
        admission.limit = address_limit(admissions, admission.account, now_us);
    }
    if (admission.limit == LIMIT_NONE) {
        admission.limit = whole_limit(admissions, open, now_us);
        if (admission.limit != LIMIT_NONE)
            accounts_give_back(accounts, admission.account, HOLD_CONNECTIONS);
    }
    if (admission.limit != LIMIT_NONE) {
        metrics_add(admissions->metrics, over_metrics[admission.limit], 1);
        if (open >= admissions->connections_max + admissions->reserve ||
            !has_reserve(admissions, admission.account)) {
            accounts_unref(accounts, &admission.account);
            return false;
        }
    }
    *admission_out = admission;
    return true;
}

bool admissions_admit_source(struct admissions *admissions,
                             const struct address *address, enum limit over,
                             int64_t now_us, struct metrics *metrics,
                             struct admission *admission_out)
{
    struct accounts *accounts = admissions->accounts;
    struct admission admission = {
        .is_proxied = networks_contain(&admissions->proxies, address)};

    if (!admission.is_proxied) {
        admission.account = accounts_ref_address(accounts, address);
        admission.limit = address_limit(admissions, admission.account, now_us);
    }
    if (admission.limit != LIMIT_NONE) {
        metrics_add(metrics, over_metrics[admission.limit], 1);
    } else if (over != LIMIT_NONE && !seeded_bug("limits-proxy-leaves")) {
        accounts_give_back(accounts, admission.account, HOLD_CONNECTIONS);
        admission.limit = over;
    }
    if (admission.limit != LIMIT_NONE) {
        if (!has_reserve(admissions, admission.account)) {
            metrics_add(metrics, METRIC_connections_refused, 1);
            accounts_unref(accounts, &admission.account);
            return false;
        }
    }
    *admission_out = admission;
    return true;
}

void admissions_admit_request(struct admissions *admissions,
                              const struct address *client, enum limit over,
                              struct metrics *metrics,
                              struct admission *admission_out)
{
    struct accounts *accounts = admissions->accounts;
    struct admission admission = {.is_proxied = true, .limit = over};

    if (!networks_contain(&admissions->proxies, client)) {
        admission.account = accounts_ref_address(accounts, client);
        if (over == LIMIT_NONE &&
            !accounts_hold(accounts, admission.account, HOLD_CONNECTIONS,
                           admissions->per_address)) {
            admission.limit = LIMIT_PER_ADDRESS;
            metrics_add(metrics, over_metrics[LIMIT_PER_ADDRESS], 1);
        }
        if (admission.limit != LIMIT_NONE)
            (void)accounts_hold(accounts, admission.account, HOLD_RESERVED, 0);
    }
    *admission_out = admission;
}
