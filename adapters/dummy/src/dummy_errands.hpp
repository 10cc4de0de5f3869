// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <boost/container/small_vector.hpp>

#include <dummy_backend.hpp>
#include <mutex>
#include <system_error>
#include <timer_service.hpp>
#include <utility>

namespace coproc::detail {

/// What is left to do once the lock is released.
struct dummy_backend::errands {
    boost::container::small_vector<thread_ptr, 2> stop;
    boost::container::small_vector<thread_ptr, 2> wake;
    boost::container::small_vector<thread_ptr, 2> launch;
    boost::container::small_vector<work_ptr, 4> finished;
    boost::container::small_vector<work_ptr, 2>
        left; // their last reference may be here: destroyed without the lock
    bool publish_joined = false;

    void run(dummy_backend& pool) {
        for (const auto& each : wake)
            each->wake();
        for (const auto& each : stop)
            each->request_stop();
        for (const auto& each : launch) {
            try {
                each->launch();
            } catch (const std::system_error& e) {
                pool.not_launched(*each, e);
            }
        }
        for (const auto& each : finished)
            each->finish();
        if (publish_joined)
            timer_service::instance().call_at(
                {}, [self = boost::intrusive_ptr{&pool}] { self->publish_joined(); });
    }
};

template <class Event>
void dummy_backend::decide(Event&& event) {
    errands later;
    {
        const std::scoped_lock lock{mutex_};
        std::forward<Event>(event)(later);
        carry_out(later);
        see_that_somebody_listens(later);
    }
    later.run(*this);
}

} // namespace coproc::detail
