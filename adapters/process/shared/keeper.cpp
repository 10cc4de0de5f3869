// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <shared/keeper.hpp>

#include <coproc/detail/forks.hpp>
#include <os/signals.hpp>
#include <os/system_call.hpp>

#include <condition_variable>
#include <linux/futex.h>
#include <mutex>
#include <pthread.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <unordered_map>
#include <utility>
#include <vector>

namespace coproc::detail::shared {
namespace {

static_assert(sizeof(robust_list) == sizeof(party::next));

// The kernel finds the word by its distance from the link.
constexpr long link_to_word =
    static_cast<long>(offsetof(party, presence)) - static_cast<long>(offsetof(party, next));

robust_list* link_of(party& p) noexcept { return reinterpret_cast<robust_list*>(&p.next); }

/// One thread and its list. The kernel reads the list at any instruction at which the process may
/// be killed; what matters to it is only that following `next` comes back to the head.
class keeper {
public:
    static constexpr std::size_t most_links = 2000; // the kernel gives up at 2048

    keeper() {
        head_.list.next = &head_.list;
        head_.futex_offset = link_to_word;
        head_.list_op_pending = nullptr;

        const os::signal_blocker blocked;
        std::thread thread{[this] { run(); }};
        thread.detach();
        std::unique_lock lock{mutex_};
        started_.wait(lock, [&] { return id_ != 0; });
    }

    [[nodiscard]] bool full() const noexcept { return before_.size() >= most_links; }

    bool claim(party& p) {
        before_.reserve(before_.size() + 1);
        auto* const link = link_of(p);
        before_[link] = &head_.list;
        // Whoever dies from here on holds the word by the pending operation, if it holds it.
        head_.list_op_pending = link;
        std::atomic_signal_fence(std::memory_order_seq_cst);
        std::uint32_t expected = 0;
        const bool won = p.presence.compare_exchange_strong(expected, id_);
        if (won) {
            robust_list* const first = head_.list.next;
            link->next = first;
            std::atomic_signal_fence(std::memory_order_seq_cst);
            head_.list.next = link;
            if (first != &head_.list) before_[first] = link;
        } else {
            before_.erase(link);
        }
        std::atomic_signal_fence(std::memory_order_seq_cst);
        head_.list_op_pending = nullptr;
        return won;
    }

    bool release(party& p) noexcept {
        auto* const link = link_of(p);
        const auto at = before_.find(link);
        if (at == before_.end()) return false;
        robust_list* const previous = at->second;
        robust_list* const next = link->next;
        before_.erase(at);
        head_.list_op_pending = link;
        std::atomic_signal_fence(std::memory_order_seq_cst);
        previous->next = next;
        if (next != &head_.list) before_[next] = previous;
        p.presence.store(0); // from here on the link is somebody else's
        std::atomic_signal_fence(std::memory_order_seq_cst);
        head_.list_op_pending = nullptr;
        return true;
    }

private:
    void run() noexcept {
        ::pthread_setname_np(::pthread_self(), "coproc-keeper");
        ::syscall(SYS_set_robust_list, &head_, sizeof head_);
        {
            const std::scoped_lock lock{mutex_};
            id_ = static_cast<std::uint32_t>(::syscall(SYS_gettid));
        }
        started_.notify_one();
        for (;;)
            ::pause();
    }

    robust_list_head head_{};
    std::unordered_map<robust_list*, robust_list*> before_;
    std::uint32_t id_ = 0;
    std::mutex mutex_;
    std::condition_variable started_;
};

/// Never destroyed: the threads outlive everything.
struct keepers {
    std::mutex mutex;
    std::vector<keeper*> all;
    keepers* former = nullptr; // the parent's, in the child of a fork
};

keepers* the_keepers = nullptr;

// A fork waits until nobody is in the middle of a change; its child has none of these threads.
void before_fork() noexcept { the_keepers->mutex.lock(); }
void after_fork_in_parent() noexcept { the_keepers->mutex.unlock(); }
void after_fork_in_child() noexcept {
    auto* const own = new keepers;
    own->former = std::exchange(the_keepers, own);
}

keepers& instance() {
    static const bool made = [] {
        the_keepers = new keepers;
        ::pthread_atfork(&before_fork, &after_fork_in_parent, &after_fork_in_child);
        return true;
    }();
    static_cast<void>(made);
    return *the_keepers;
}

const made_before_main made_early{instance};

} // namespace

bool claim_presence(party& p) {
    keepers& k = instance();
    const std::scoped_lock lock{k.mutex};
    for (keeper* one : k.all)
        if (!one->full()) return one->claim(p);
    k.all.reserve(k.all.size() + 1);
    k.all.push_back(new keeper);
    return k.all.back()->claim(p);
}

void release_presence(party& p) noexcept {
    keepers& k = instance();
    const std::scoped_lock lock{k.mutex};
    for (keeper* one : k.all)
        if (one->release(p)) return;
}

} // namespace coproc::detail::shared
