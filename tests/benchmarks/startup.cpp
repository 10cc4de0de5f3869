// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// A pool of two made, and its first result: in a process that never had a pool (each measurement is
// a run of this program of its own), in one that had, and in one that has touched 3 GB of memory.

#include "measure.hpp"

#include <coproc/coproc.hpp>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <sys/mman.h>

namespace {

constexpr std::size_t page = 4096;
constexpr std::size_t large = std::size_t{3} << 30U;

int increment(int x) { return x + 1; }

coproc::start_method method_of(const std::string& name) {
    if (name == "fork") return coproc::start_method::fork;
    if (name == "forkserver") return coproc::start_method::forkserver;
    return coproc::start_method::spawn;
}

double first_result(coproc::start_method method) {
    double took = 0;
    const auto began = measure::now_ns();
    coproc::pool pool{{.workers = 2, .start = method}};
    pool.apply(increment, 1);
    took = static_cast<double>(measure::now_ns() - began);
    return took / 1e6;
}

/// In pages of the usual size: huge ones would hide what they cost a fork.
void touch(std::size_t bytes) {
    if (bytes == 0) return;
    void* at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) std::abort();
    ::madvise(at, bytes, MADV_NOHUGEPAGE);
    for (std::size_t i = 0; i < bytes; i += page)
        static_cast<volatile char*>(at)[i] = 1;
    // Some hypervisors put off what all that has changed in the page tables until the whole TLB is
    // flushed: 10 ms per GB, which are no pool's. Giving back that much flushes it.
    ::munmap(at, std::min(bytes, 256 * page));
}

double in_a_fresh_process(const std::string& self, const std::string& method, std::size_t touched) {
    const std::string command = self + " --one " + method + " " + std::to_string(touched);
    std::FILE* output = ::popen(command.c_str(), "r");
    if (output == nullptr) std::abort();
    double took = -1;
    if (std::fscanf(output, "%lf", &took) != 1) took = -1;
    ::pclose(output);
    return took;
}

} // namespace

int main(int argc, char** argv) {
    const coproc::runtime runtime{argc, argv};
    if (argc == 4 && std::strcmp(argv[1], "--one") == 0) {
        touch(std::strtoull(argv[3], nullptr, 10));
        std::printf("%f\n", first_result(method_of(argv[2])));
        return 0;
    }

    const measure::arguments arguments{argc, argv};
    for (const std::string method : {"spawn", "forkserver", "fork"}) {
        const auto row = [&](const std::string& name, int rounds, auto&& f) {
            if (arguments.wants(name)) measure::report(name, measure::median_of(rounds, f), "ms");
        };
        row("process.first_result." + method, arguments.quick ? 5 : 15,
            [&] { return in_a_fresh_process(argv[0], method, 0); });
        row("process.first_result_3gb." + method, arguments.quick ? 3 : 5,
            [&] { return in_a_fresh_process(argv[0], method, large); });
        row("process.next_pool." + method, arguments.quick ? 5 : 15,
            [&] { return first_result(method_of(method)); });
    }
}
