// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include "support/vocabularies.hpp"

#include <mutex>
#include <thread>

using namespace coproc_test;

namespace {

/// What another thread says.
template <class Mutex>
bool others_get(const Mutex& mutex) {
    bool got = false;
    std::thread{[&] {
        got = mutex.try_lock();
        if (got) mutex.unlock();
    }}.join();
    return got;
}

} // namespace

TEMPLATE_TEST_CASE("recursive_mutex: its thread locks it again", "", RECURSIVE_MUTEX_VOCABULARIES) {
    const typename TestType::recursive_mutex mutex;
    const auto same = mutex;
    mutex.lock();
    CHECK(same.try_lock());
    CHECK(mutex.try_lock_for(1ms));
    CHECK(mutex.try_lock_until(std::chrono::steady_clock::now()));
    CHECK(mutex.try_lock_until(std::chrono::system_clock::now() + 1h));
    for (int depth = 5; depth > 0; --depth) {
        CHECK_FALSE(others_get(mutex));
        mutex.unlock();
    }
    CHECK(others_get(mutex));
    std::unique_lock outer{same};
    {
        const std::scoped_lock inner{same};
        CHECK_FALSE(others_get(mutex));
    }
    CHECK_FALSE(others_get(mutex));
    outer.unlock();
    CHECK(others_get(mutex));
}

TEMPLATE_TEST_CASE("recursive_mutex: only its thread may unlock it", "",
                   RECURSIVE_MUTEX_VOCABULARIES) {
    const typename TestType::recursive_mutex mutex;
    CHECK_THROWS_AS(mutex.unlock(), std::logic_error);
    mutex.lock();
    std::thread{[&] {
        const auto error = thrown<std::logic_error>([&] { mutex.unlock(); });
        REQUIRE(error);
        CHECK_THAT(error->what(), ContainsSubstring("not held"));
        CHECK_FALSE(mutex.try_lock_for(1ms));
    }}.join();
    mutex.unlock();
    CHECK_THROWS_AS(mutex.unlock(), std::logic_error);
    CHECK(others_get(mutex));
}

TEMPLATE_TEST_CASE("recursive_mutex: parties keep each other out", "",
                   RECURSIVE_MUTEX_VOCABULARIES) {
    constexpr int parties = 4;
    const typename TestType::recursive_mutex mutex;
    const typename TestType::template shared_array<long> counts{1};
    typename TestType::crew crew{parties};
    std::vector<coproc::async_result<void>> others;
    for (int i = 0; i < parties; ++i)
        others.push_back(crew.apply_async(
            [](typename TestType::recursive_mutex m,
               typename TestType::template shared_array<long> n) {
                for (int k = 0; k < 500; ++k) {
                    const std::scoped_lock outer{m};
                    while (!m.try_lock_for(1us)) {}
                    const std::scoped_lock inner{m};
                    ++n[0];
                    m.unlock();
                }
            },
            mutex, counts));
    all_end(others);
    CHECK(counts[0] == parties * 500);
}

TEMPLATE_TEST_CASE("recursive_mutex: a lock waits for the other's last unlock", "",
                   RECURSIVE_MUTEX_VOCABULARIES) {
    const typename TestType::recursive_mutex mutex;
    const typename TestType::event locked;
    const typename TestType::event leave;
    typename TestType::crew crew{1};
    auto other = crew.apply_async(
        [](typename TestType::recursive_mutex m, typename TestType::event in,
           typename TestType::event out) {
            const std::scoped_lock outer{m};
            const std::scoped_lock inner{m};
            in.set();
            out.wait(patience);
        },
        mutex, locked, leave);
    REQUIRE(locked.wait(patience));
    CHECK_FALSE(mutex.try_lock());
    CHECK_FALSE(mutex.try_lock_for(1ms));
    leave.set();
    CHECK(mutex.try_lock_for(patience));
    mutex.unlock();
    result_of(other);
}
