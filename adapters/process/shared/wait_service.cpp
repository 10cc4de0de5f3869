// SPDX-FileCopyrightText: 2026 The coproc authors
// SPDX-License-Identifier: BSL-1.0

#include <shared/wait_service.hpp>

#include <coproc/detail/asked_once.hpp>
#include <coproc/detail/forks.hpp>
#include <os/futex.hpp>
#include <os/signals.hpp>
#include <src/fork_guard.hpp>

#include <algorithm>
#include <chrono>
#include <climits>
#include <deque>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <pthread.h>
#include <thread>
#include <vector>

namespace coproc::detail::shared {
namespace {

using waiter_ptr = std::shared_ptr<waiter>;

/// All that wait for one word, as its thread sees them.
struct group {
    wait_word* word;
    std::shared_ptr<object> at;
    unsigned counted_as;
    std::deque<waiter_ptr> waiters = {};
    std::uint32_t seen = 0;
};

/// One thread, and the words that it sleeps on.
class sleeper {
public:
    // What others may touch, under the service's mutex.
    std::vector<waiter_ptr> incoming = {};
    std::vector<std::shared_ptr<object>> to_look_after = {};
    std::vector<wait_word*> words = {}; // that are its own, with those in `incoming`

    sleeper() {
        const os::signal_blocker blocked;
        std::thread thread{[this] { run(); }};
        thread.detach();
    }

    /// Makes it look at everything again.
    void poke() noexcept;

private:
    void run() noexcept;
    void take_in() noexcept;
    void look(group& g) noexcept;
    void drop_empty() noexcept;
    void sleep() noexcept;

    os::futex_word control_{0};
    std::uint32_t control_seen_ = 0;
    std::vector<group> groups_;
    bool unwatched_ = false;
};

struct service {
    std::mutex mutex;
    std::map<wait_word*, sleeper*> by_word;
    std::vector<sleeper*> sleepers; // never end
};

service& the_service() {
    static service* const instance = [] {
        on_fork_in_child([]() noexcept { ::new (&the_service()) service; });
        return new service;
    }();
    return *instance;
}

const made_before_main made_early{the_service};

/// How many words one thread can sleep on.
std::size_t capacity() noexcept {
    static constinit asked_once words;
    return words.get([] { return os::can_wait_for_many() ? unsigned{os::most_futexes - 1} : 1U; });
}

void sleeper::poke() noexcept {
    control_.fetch_add(1);
    os::futex_wake(control_);
    // Where a thread can sleep on one word only, that is what wakes it.
    if (capacity() == 1)
        for (wait_word* const word : words)
            object::wake(*word, INT_MAX);
}

void sleeper::run() noexcept {
    ::pthread_setname_np(::pthread_self(), "coproc-waits");
    for (;;) {
        take_in();
        unwatched_ = false;
        for (group& g : groups_)
            look(g);
        drop_empty();
        sleep();
    }
}

void sleeper::take_in() noexcept {
    std::vector<waiter_ptr> fresh;
    std::vector<std::shared_ptr<object>> deaths;
    {
        const std::scoped_lock lock{the_service().mutex};
        control_seen_ = control_.load();
        fresh.swap(incoming);
        deaths.swap(to_look_after);
    }
    for (const auto& o : deaths)
        o->look_after_parties();
    for (waiter_ptr& who : fresh) {
        auto at = std::find_if(groups_.begin(), groups_.end(),
                               [&](const group& g) { return g.word == &who->word(); });
        if (at == groups_.end()) {
            groups_.push_back({&who->word(), who->waits_at(), who->counted_as()});
            at = groups_.end() - 1;
            at->at->announce(*at->word, at->counted_as);
        }
        at->waiters.push_back(std::move(who));
    }
}

void sleeper::look(group& g) noexcept {
    g.seen = g.word->sequence.load();
    std::erase_if(g.waiters, [](const waiter_ptr& who) { return who->over(); });
    while (!g.waiters.empty() && g.waiters.front()->attempt())
        g.waiters.pop_front();
    if (g.waiters.empty()) return;
    try {
        if (!g.at->watch_parties()) unwatched_ = true;
    } catch (const std::exception&) {
        unwatched_ = true;
    }
    if (unwatched_) {
        try {
            g.at->bury_dead();
        } catch (const std::exception&) {
            // looked at again in a moment
        }
    }
}

void sleeper::drop_empty() noexcept {
    for (std::size_t i = 0; i != groups_.size();) {
        group& g = groups_[i];
        if (!g.waiters.empty()) {
            ++i;
            continue;
        }
        {
            service& s = the_service();
            const std::scoped_lock lock{s.mutex};
            const auto more = std::any_of(incoming.begin(), incoming.end(),
                                          [&](const auto& who) { return &who->word() == g.word; });
            if (more) {
                ++i;
                continue;
            }
            s.by_word.erase(g.word);
            std::erase(words, g.word);
        }
        g.at->retire(*g.word, g.counted_as);
        // If a wake-up came here that nobody needed, it was somebody else's.
        object::wake(*g.word, 1);
        if (i + 1 != groups_.size()) std::swap(g, groups_.back());
        groups_.pop_back();
    }
}

void sleeper::sleep() noexcept {
    std::optional<std::chrono::nanoseconds> limit;
    if (unwatched_) limit = std::chrono::milliseconds{50};
    if (capacity() == 1) {
        if (groups_.empty())
            os::futex_wait(control_, control_seen_, limit);
        else
            os::futex_wait(groups_.front().word->sequence, groups_.front().seen, limit);
        return;
    }
    os::futex_list list;
    list.add(control_, control_seen_);
    for (const group& g : groups_)
        list.add(g.word->sequence, g.seen);
    list.wait(limit);
}

/// Under the service's mutex.
sleeper& sleeper_for(wait_word& word) {
    service& s = the_service();
    if (const auto at = s.by_word.find(&word); at != s.by_word.end()) return *at->second;
    for (sleeper* const one : s.sleepers) {
        if (one->words.size() < capacity()) {
            one->words.push_back(&word);
            s.by_word[&word] = one;
            return *one;
        }
    }
    s.sleepers.reserve(s.sleepers.size() + 1);
    auto* const fresh = new sleeper;
    s.sleepers.push_back(fresh);
    fresh->words.push_back(&word);
    s.by_word[&word] = fresh;
    return *fresh;
}

} // namespace

void wait_later(std::shared_ptr<waiter> who) {
    service& s = the_service();
    const std::scoped_lock lock{s.mutex};
    sleeper& by = sleeper_for(who->word());
    by.incoming.push_back(std::move(who));
    by.poke();
}

void look_again(const waiter& who) noexcept {
    service& s = the_service();
    const std::scoped_lock lock{s.mutex};
    if (const auto at = s.by_word.find(&who.word()); at != s.by_word.end()) at->second->poke();
}

void look_after_later(std::shared_ptr<object> o) {
    service& s = the_service();
    const std::scoped_lock lock{s.mutex};
    if (s.sleepers.empty()) s.sleepers.push_back(new sleeper);
    s.sleepers.front()->to_look_after.push_back(std::move(o));
    s.sleepers.front()->poke();
}

} // namespace coproc::detail::shared
