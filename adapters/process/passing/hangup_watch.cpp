// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <passing/hangup_watch.hpp>

#include <coproc/detail/forks.hpp>
#include <os/system_call.hpp>
#include <src/fork_guard.hpp>
#include <src/reactor.hpp>

#include <boost/asio/posix/stream_descriptor.hpp>

#include <array>
#include <cstdint>
#include <mutex>
#include <new>
#include <passing/pipe_object.hpp>
#include <sys/epoll.h>
#include <unistd.h>
#include <unordered_map>

namespace coproc::detail {
namespace {

// A set of its own, which is readable when one of its sockets has hung up: the reactor's would also
// wake up for every message.
class watch {
public:
    void add(const std::shared_ptr<pipe_end>& end) {
        const std::scoped_lock lock{mutex_};
        if (!started_) start();
        const std::uint64_t id = ++last_;
        ends_[id] = end;
        by_end_[end.get()] = id;
        epoll_event event{};
        event.events = EPOLLET; // that it hung up is always told
        event.data.u64 = id;
        if (::epoll_ctl(set_, EPOLL_CTL_ADD, end->socket(), &event) != 0) {
            const int error = errno;
            ends_.erase(id);
            by_end_.erase(end.get());
            os::throw_system_error("watch a pipe", error);
        }
    }

    void remove(const pipe_end& end) noexcept {
        const std::scoped_lock lock{mutex_};
        const auto at = by_end_.find(&end);
        if (at == by_end_.end()) return; // another process's, before a fork
        // The kernel would not forget it by itself while others have the same socket.
        ::epoll_ctl(set_, EPOLL_CTL_DEL, end.socket(), nullptr);
        ends_.erase(at->second);
        by_end_.erase(at);
    }

    /// In the child of a fork, whose reactor begins anew.
    void abandon() noexcept {
        if (started_) ::close(set_);
    }

private:
    void start() {
        set_ = os::check(::epoll_create1(EPOLL_CLOEXEC), "watch pipes");
        try {
            descriptor_ = new boost::asio::posix::stream_descriptor{reactor(), set_};
            wait();
        } catch (...) {
            delete descriptor_;
            throw;
        }
        started_ = true;
    }

    void wait() {
        descriptor_->async_wait(boost::asio::posix::descriptor_base::wait_read,
                                [this](const boost::system::error_code& error) {
                                    if (error) return;
                                    look();
                                    wait();
                                });
    }

    void look() noexcept {
        std::array<epoll_event, 64> events;
        for (;;) {
            const int count = ::epoll_wait(set_, events.data(), events.size(), 0);
            for (int i = 0; i < count; ++i) {
                std::shared_ptr<pipe_end> end;
                {
                    const std::scoped_lock lock{mutex_};
                    const auto at = ends_.find(events[static_cast<std::size_t>(i)].data.u64);
                    if (at != ends_.end()) end = at->second.lock();
                }
                if (end) end->on_hangup();
            }
            if (count < static_cast<int>(events.size())) return;
        }
    }

    std::mutex mutex_;
    bool started_ = false;
    int set_ = -1;
    boost::asio::posix::stream_descriptor* descriptor_ = nullptr; // never destroyed
    std::uint64_t last_ = 0;
    std::unordered_map<std::uint64_t, std::weak_ptr<pipe_end>> ends_;
    std::unordered_map<const pipe_end*, std::uint64_t> by_end_;
};

watch& the_watch() {
    static watch* const instance = [] {
        on_fork_in_child([]() noexcept {
            the_watch().abandon();
            ::new (&the_watch()) watch;
        });
        return new watch;
    }();
    return *instance;
}

const made_before_main made_early{the_watch};

} // namespace

void watch_hangup(const std::shared_ptr<pipe_end>& end) { the_watch().add(end); }
void forget_hangup(const pipe_end& end) noexcept { the_watch().remove(end); }

} // namespace coproc::detail
