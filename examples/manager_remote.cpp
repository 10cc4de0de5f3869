// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// Two programs, which may run on two machines, and one key. Started without arguments this is the
// first: it offers a queue of jobs and one of results, and starts the second, which only knows the
// address and the key, with
//
//     manager_remote tcp://127.0.0.1:40123
//
// and the key in an environment variable, where nobody sees it in a list of processes.

#include <coproc/coproc.hpp>

#include <cstdlib>
#include <iostream>
#include <string>
#include <utility>

namespace mp = coproc;

using jobs_proxy = mp::queue_proxy<int>;
using results_proxy = mp::queue_proxy<std::pair<int, long>>;

long cube(long x) { return x * x * x; }

int work(const std::string& address) {
    const char* const key = std::getenv("EXAMPLE_KEY");
    auto manager = mp::manager::connect(address, key != nullptr ? key : "");
    auto jobs = manager.find<jobs_proxy>("jobs");
    auto results = manager.find<results_proxy>("results");
    try {
        for (;;) {
            const int job = jobs.get();
            results.put({job, cube(job)});
        }
    } catch (const mp::queue_closed_error&) { // no more jobs
        return 0;
    } catch (const mp::end_of_stream_error&) { // no manager, even
        return 0;
    }
}

int main(int argc, char** argv) {
    mp::runtime runtime{argc, argv};
    if (argc > 1) return work(argv[1]);

    mp::manager manager{{.endpoint = "tcp://127.0.0.1:0"}}; // port 0: the system chooses one
    auto jobs = manager.queue<int>(10);
    auto results = manager.queue<std::pair<int, long>>();
    manager.publish("jobs", jobs);
    manager.publish("results", results);

    ::setenv("EXAMPLE_KEY", manager.authkey().c_str(), 1); // random, since none was given
    const std::string other = std::string{argv[0]} + " " + manager.endpoint() + " &";
    if (std::system(other.c_str()) != 0) return 1;

    for (int i = 1; i <= 5; ++i)
        jobs.put(i);
    for (int i = 1; i <= 5; ++i) {
        const auto [job, result] = results.get();
        std::cout << job << " cubed is " << result << '\n';
    }
    jobs.close();

    try {
        static_cast<void>(mp::manager::connect(manager.endpoint(), "a guess"));
    } catch (const mp::authentication_error&) {
        std::cout << "a guessed key opens nothing\n";
    }
}
