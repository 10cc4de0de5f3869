// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <shared/peer_watch.hpp>

#include <coproc/detail/forks.hpp>
#include <os/pidfd.hpp>
#include <src/fork_guard.hpp>
#include <src/reactor.hpp>

#include <boost/asio/posix/stream_descriptor.hpp>

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <new>
#include <shared/object.hpp>
#include <shared/wait_service.hpp>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

namespace coproc::detail::shared {
namespace {

struct watch {
    boost::asio::posix::stream_descriptor process{reactor()};
    std::vector<std::weak_ptr<object>> interested;
};

struct watches {
    std::mutex mutex;
    std::unordered_map<pid_t, std::unique_ptr<watch>> by_pid;
};

watches& all() {
    static watches* instance = [] {
        // The child of a fork watches anew; the descriptors belong to a reactor that is not there.
        on_fork_in_child([]() noexcept { ::new (&all()) watches; });
        return new watches;
    }();
    return *instance;
}

const made_before_main made_early{all};

bool same(const std::weak_ptr<object>& a, const std::weak_ptr<object>& b) noexcept {
    return !a.owner_before(b) && !b.owner_before(a);
}

void on_end(pid_t pid);

void wait_for_end(watch& of, pid_t pid) {
    of.process.async_wait(boost::asio::posix::descriptor_base::wait_read,
                          [pid](const boost::system::error_code& error) {
                              if (!error) on_end(pid);
                          });
}

void on_end(pid_t pid) {
    std::vector<std::weak_ptr<object>> interested;
    {
        watches& w = all();
        const std::scoped_lock lock{w.mutex};
        const auto at = w.by_pid.find(pid);
        if (at == w.by_pid.end()) return;
        watch& found = *at->second;
        if (!os::has_ended(found.process.native_handle())) return wait_for_end(found, pid);
        interested = std::move(found.interested);
        w.by_pid.erase(at);
    }
    // Not here: the guard of an object may have to be waited for.
    for (auto& one : interested) {
        auto object = one.lock();
        if (object == nullptr) continue;
        try {
            look_after_later(object);
        } catch (const std::exception&) {
            object->look_after_parties(); // without a thread to do it, here after all
        }
    }
}

} // namespace

bool watch_peer(pid_t pid, std::weak_ptr<object> interested) {
    watches& w = all();
    const std::scoped_lock lock{w.mutex};
    if (const auto at = w.by_pid.find(pid); at != w.by_pid.end()) {
        auto& list = at->second->interested;
        if (std::none_of(list.begin(), list.end(),
                         [&](const auto& one) { return same(one, interested); })) {
            if (list.size() == list.capacity())
                std::erase_if(list, [](const auto& one) { return one.expired(); });
            list.push_back(std::move(interested));
        }
        return true;
    }
    os::unique_fd process;
    try {
        process = os::open_pidfd(pid);
    } catch (const std::system_error& e) {
        return e.code().value() == ESRCH;
    }
    try {
        auto fresh = std::make_unique<watch>(); // starts the reactor, which needs descriptors, too
        fresh->process.assign(process.get());
        static_cast<void>(process.release());
        fresh->interested.push_back(std::move(interested));
        wait_for_end(*fresh, pid);
        w.by_pid.emplace(pid, std::move(fresh));
    } catch (const std::exception&) {
        return false;
    }
    return true;
}

} // namespace coproc::detail::shared
