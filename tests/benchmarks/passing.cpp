// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

// What two processes, or two threads, can hand to each other through a queue, a pipe, a lock.

#include "measure.hpp"

#include <coproc/coproc.hpp>

#include <string>
#include <vector>

namespace {

struct processes {
    static constexpr const char* name = "process";
    template <class T>
    using queue = coproc::queue<T>;
    template <class T>
    using connection = coproc::connection<T>;
    using mutex = coproc::mutex;
    using pool = coproc::pool;
    template <class T>
    static auto pipe() {
        return coproc::pipe<T>();
    }
};

struct threads {
    static constexpr const char* name = "dummy";
    template <class T>
    using queue = coproc::dummy::queue<T>;
    template <class T>
    using connection = coproc::dummy::connection<T>;
    using mutex = coproc::dummy::mutex;
    using pool = coproc::dummy::pool;
    template <class T>
    static auto pipe() {
        return coproc::dummy::pipe<T>();
    }
};

template <class On>
int fill(const typename On::template queue<int>& queue, int n) {
    for (int i = 0; i < n; ++i)
        queue.put(i);
    return n;
}

template <class On>
int fill_large(const typename On::template queue<std::string>& queue, int n) {
    const std::string megabyte(1 << 20, 'x');
    for (int i = 0; i < n; ++i)
        queue.put(megabyte);
    return n;
}

template <class On>
int answer(const typename On::template connection<int>& end, int n) {
    for (int i = 0; i < n; ++i)
        end.send(end.recv() + 1);
    return n;
}

template <class On>
int lock_often(const typename On::mutex& mutex, int n) {
    for (int i = 0; i < n; ++i) {
        mutex.lock();
        mutex.unlock();
    }
    return n;
}

template <class On>
void measure_all(const measure::arguments& arguments) {
    typename On::pool pool{2};
    pool.apply(+[](int x) { return x; }, 1); // started
    const std::string name = On::name;
    const auto row = [&](const std::string& what, const char* unit, auto&& f) {
        if (arguments.wants(name + what))
            measure::report(name + what, measure::median_of(5, f), unit);
    };

    row(".queue_put_get", "ns", [&] {
        const int n = arguments.count(500'000);
        const typename On::template queue<int> queue;
        return measure::timed([&] {
                   auto done = pool.apply_async(&fill<On>, queue, n);
                   for (int i = 0; i < n; ++i)
                       if (queue.get() != i) std::abort();
                   done.get();
               }) /
               n;
    });
    row(".queue_1mb", "GB/s", [&] {
        const int n = arguments.count(500);
        const typename On::template queue<std::string> queue{4};
        const double ns = measure::timed([&] {
            auto done = pool.apply_async(&fill_large<On>, queue, n);
            for (int i = 0; i < n; ++i)
                if (queue.get().size() != 1u << 20) std::abort();
            done.get();
        });
        return n * double{1 << 20} / ns;
    });
    row(".pipe_ping_pong", "ns", [&] {
        const int n = arguments.count(50'000);
        auto [here, there] = On::template pipe<int>();
        auto done = pool.apply_async(&answer<On>, there, n);
        here.send(0); // the first waits for the worker
        static_cast<void>(here.recv());
        const double ns = measure::timed([&] {
            for (int i = 1; i < n; ++i) {
                here.send(i);
                if (here.recv() != i + 1) std::abort();
            }
        });
        done.get();
        return ns / (n - 1);
    });
    row(".mutex_uncontended", "ns", [&] {
        const int n = arguments.count(2'000'000);
        const typename On::mutex mutex;
        return measure::timed([&] { lock_often<On>(mutex, n); }) / n;
    });
    row(".mutex_contended", "ns", [&] {
        const int n = arguments.count(300'000);
        const typename On::mutex mutex;
        return measure::timed([&] {
                   auto one = pool.apply_async(&lock_often<On>, mutex, n);
                   auto two = pool.apply_async(&lock_often<On>, mutex, n);
                   one.get();
                   two.get();
               }) /
               (2.0 * n);
    });
}

} // namespace

int main(int argc, char** argv) {
    const coproc::runtime runtime{argc, argv};
    const measure::arguments arguments{argc, argv};
    measure_all<processes>(arguments);
    measure_all<threads>(arguments);
}
