// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A program that runs out of processes or of address space, and gets them back.
//     starved processes|memory|start spawn|fork

#include <coproc/coproc.hpp>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <new>
#include <string_view>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <system_error>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
/// The search for leaks needs a process of its own, which there may be none for here.
extern "C" const char* __asan_default_options() { return "detect_leaks=0"; }
#endif

namespace {

int twice(int x) { return 2 * x; }

void limit(decltype(RLIMIT_AS) what, rlim_t to) {
    rlimit now{};
    ::getrlimit(what, &now);
    now.rlim_cur = to < now.rlim_max ? to : now.rlim_max;
    ::setrlimit(what, &now);
}

/// Makes and uses a pool; false if that was refused with an error that a user can make sense of.
bool try_pool(const coproc::pool_options& options) {
    try {
        coproc::pool pool{options};
        if (pool.apply(&twice, 2) == 4) return true;
        std::printf("a wrong result\n");
    } catch (const std::system_error&) {
    } catch (const std::bad_alloc&) {
    } catch (const coproc::error&) {}
    return false;
}

int processes(const coproc::pool_options& options) {
    // No limit holds for root; another user's processes do not count.
    if (::geteuid() == 0) {
        if (::setgid(64321) != 0 || ::setuid(64321) != 0) return 77;
        ::prctl(PR_SET_DUMPABLE, 1);
    }
    if (!try_pool(options)) return 77; // such a user may not run this file
    coproc::pool pool{options};
    if (pool.apply(&twice, 1) != 2) return 1;
    while (pool.stats().idle != 2) // one still to be started could not stand in for the lost one
        ::usleep(1000);
    limit(RLIMIT_NPROC, 1);
    std::printf("%s\n", try_pool(options) ? "made" : "refused");
    try {
        pool.apply([] { ::kill(::getpid(), SIGKILL); });
    } catch (const coproc::worker_lost_error&) {
        std::printf("lost\n");
    }
    std::printf("twice %d\n", pool.apply(&twice, 4)); // by the other worker
    limit(RLIMIT_NPROC, RLIM_INFINITY);
    while (pool.stats().workers != 2)
        ::usleep(1000);
    std::printf("recovered %d %s\n", pool.apply(&twice, 5), try_pool(options) ? "made" : "refused");
    return 0;
}

/// The same for a process that is started.
int start() {
    if (::geteuid() == 0) {
        if (::setgid(64321) != 0 || ::setuid(64321) != 0) return 77;
        ::prctl(PR_SET_DUMPABLE, 1);
    }
    try {
        coproc::process warm_up{[] {}};
        warm_up.start();
        warm_up.join();
        if (warm_up.exit_code() != 0) return 77;
    } catch (const std::exception&) {
        return 77; // such a user may not run this file
    }
    coproc::process p{[](int code) { std::exit(code); }, 5};
    limit(RLIMIT_NPROC, 1);
    try {
        p.start();
        std::printf("started\n");
    } catch (const std::system_error&) {
        std::printf("refused\n");
    }
    limit(RLIMIT_NPROC, RLIM_INFINITY);
    p.start();
    p.join();
    std::printf("recovered %d\n", p.exit_code().value_or(-999));
    return 0;
}

int memory(const coproc::pool_options& options) {
    if (!try_pool(options)) return 1;
    std::size_t pages = 0;
    std::ifstream{"/proc/self/statm"} >> pages;
    const auto now = static_cast<rlim_t>(pages) * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
    int refused = 0;
    for (rlim_t mb = 0; mb <= 256; mb = mb == 0 ? 1 : mb * 2) {
        limit(RLIMIT_AS, now + (mb << 20));
        refused += try_pool(options) ? 0 : 1;
        limit(RLIMIT_AS, RLIM_INFINITY);
    }
    std::printf("%s\n", refused != 0 ? "refused" : "made");
    std::printf("recovered %s\n", try_pool(options) ? "made" : "refused");
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    const coproc::runtime runtime{argc, argv};
    if (argc < 3) return 2;
    coproc::pool_options options;
    options.workers = 2;
    options.start = std::string_view{argv[2]} == "fork" ? coproc::start_method::fork
                                                        : coproc::start_method::spawn;
    coproc::set_log_handler([](const coproc::log_record&) {});
    coproc::set_start_method(*options.start);
    if (std::string_view{argv[1]} == "start") return start();
    return std::string_view{argv[1]} == "processes" ? processes(options) : memory(options);
}
